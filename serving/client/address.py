"""Addresses of servers, in the forms that gRPC and curl know."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from imdb_core.errors import SettingsError

_DEFAULT_PORT: Final = 8500
_LAST_PORT: Final = 65535
_FORMS: Final = (
    "host:port, dns:///host:port, ipv4:address:port, ipv6:[address]:port, unix:path, or grpc:// and grpcs:// with "
    "host:port (gRPC); http://host:port or https://host:port (REST)"
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
# gRPC's own schemes for names and addresses; what stands before the last slash of dns://SERVER/HOST is a name server.
_NAMES: Final = re.compile(r"(dns|ipv4|ipv6):(//[^/]*/)?(.+)", re.IGNORECASE)
_HOST_AND_PORT: Final = re.compile(r"(\[[^\[\]\s/]+\]|[^\s:/\[\]]+)(?::(\d+))?")
_BARE_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*")


@dataclass(frozen=True)
class Address:
    """The address of a server.

    Attributes:
        target: What the transport connects to: a target of gRPC, or a URL of REST without a slash at its end.
        host: The host without its port; None for a socket of this machine.
        rest: Whether the server is asked by REST.
        encrypted: Whether the form of the address asks for TLS.
    """

    target: str
    host: str | None
    rest: bool = False
    encrypted: bool = False


def parse_address(text: str) -> Address:
    """Reads the address of a server.

    Raises:
        SettingsError: It has none of the known forms.
    """
    given = text.strip()
    found = _SCHEME.match(given)
    scheme = found[0].lower() if found else ""
    rest = given[len(scheme) + 1 :]
    if scheme in {"http", "https"}:
        return _url(scheme, rest, text)
    if scheme == "unix" and rest.removeprefix("//"):
        # gRPC has unix:PATH and unix:///PATH.
        return Address(f"unix:{rest}", None)
    if scheme == "unix-abstract" and rest:
        return Address(f"unix-abstract:{rest}", None)
    if scheme in {"grpc", "grpcs"} and rest.startswith("//"):
        host, port = _host_and_port(rest[2:].rstrip("/"), text)
        return Address(f"{host}:{port}", host, encrypted=scheme == "grpcs")
    if named := _NAMES.fullmatch(given):
        kind, server, place = named[1].lower(), named[2] or "", named[3]
        host, port = _host_and_port(place, text)
        return Address(f"{kind}:{server}{host}:{port}", host)
    host, port = _host_and_port(given, text)
    return Address(f"{host}:{port}", host)


def _url(scheme: str, rest: str, text: str) -> Address:
    url = f"{scheme}:{rest}"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _unknown(text) from error
    if not rest.startswith("//") or not parts.hostname or re.search(r"\s", url) or parts.query or parts.fragment:
        raise _unknown(text)
    return Address(url.rstrip("/"), parts.hostname, rest=True, encrypted=scheme == "https")


def _host_and_port(place: str, text: str) -> tuple[str, int]:
    if _BARE_IPV6.fullmatch(place):
        return f"[{place}]", _DEFAULT_PORT
    found = _HOST_AND_PORT.fullmatch(place)
    port = int(found[2]) if found and found[2] else _DEFAULT_PORT
    if not found or not 0 < port <= _LAST_PORT:
        raise _unknown(text)
    return found[1], port


def _unknown(text: str) -> SettingsError:
    return SettingsError(f"{text!r} is not a server's address; give {_FORMS}")

"""Which connections go through a proxy: none to this machine, whatever the environment says."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from typing import Final
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # missing in typeshed

from imdb_core.errors import SettingsError

# In the order in which gRPC looks for them; it understands no other kind of proxy than http.
_GRPC_PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
_GRPC_EXCEPTIONS: Final = ("no_grpc_proxy", "no_proxy")

GrpcOptions = tuple[tuple[str, int], ...]

# Without this option gRPC sends even requests to localhost to the proxy of http_proxy.
DIRECT: Final[GrpcOptions] = (("grpc.enable_http_proxy", 0),)


def is_this_machine(host: str) -> bool:
    """Returns whether a host is this machine itself: a loopback or unspecified address, `localhost`, its own name."""
    name = host.removeprefix("[").removesuffix("]").partition("%")[0].rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost") or name == socket.gethostname().lower():
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))  # short forms such as 127.1
        except OSError:
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def trusts_environment(host: str) -> bool:
    """Returns whether an HTTP client may take its proxy from the environment; give it to httpx as `trust_env`."""
    return not is_this_machine(host)


def grpc_proxy_options(host: str | None, environ: Mapping[str, str] = os.environ) -> GrpcOptions:
    """Returns the options of a gRPC channel that decide about proxies.

    Args:
        host: The host without its port; None for a socket of this machine.
        environ: Environment variables.

    Raises:
        SettingsError: The proxy for this host is of a kind that gRPC would ignore without a word.
    """
    if host is None or is_this_machine(host):
        return DIRECT
    exceptions = next((environ[name] for name in _GRPC_EXCEPTIONS if environ.get(name)), "")
    if proxy_bypass_environment(host, {"no": exceptions}):
        return DIRECT
    variable = next((name for name in _GRPC_PROXIES if environ.get(name)), None)
    if variable and "://" in environ[variable] and not environ[variable].lower().startswith("http://"):
        raise SettingsError(
            f"{variable}={environ[variable]} is a kind of proxy that gRPC does not know; it knows http://HOST:PORT; "
            f"set grpc_proxy to such a proxy, add {host} to no_grpc_proxy, or use REST (http://{host}:PORT)"
        )
    return ()

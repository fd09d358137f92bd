"""Addresses, ports and TLS: where the server can be asked."""

import socket
from typing import Final

import grpc

from imdb_core.errors import RunError
from serving.server.config.flag_files import SslConfig

_BACKLOG: Final = 2048


def bind(host: str, port: int) -> socket.socket:
    """Takes a TCP port; it does not listen yet.

    Args:
        host: name or address.
        port: 0 for any that is free.

    Raises:
        RunError: there is no such address, or the port is taken.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(place)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise _cannot_listen(address(host, port), error.strerror) from None
    return bound


def listen(bound: socket.socket, host: str) -> str:
    """Lets clients connect to a port.

    Args:
        bound: of `bind`.
        host: as it was given there.

    Returns:
        `host:port`.
    """
    bound.listen(_BACKLOG)
    return address(host, bound.getsockname()[1])


def add_port(server: grpc.aio.Server, place: str, tls: SslConfig | None) -> int:
    """Gives a gRPC server a port.

    Args:
        server: not started yet.
        place: `host:port`, or `unix:path`.
        tls: keys and certificates; None for plain text.

    Returns:
        The port.

    Raises:
        RunError: there is no such address, or it is taken.
    """
    try:
        if tls is None:
            return int(server.add_insecure_port(place))
        credentials = grpc.ssl_server_credentials(
            [(tls.server_key, tls.server_cert)],
            root_certificates=tls.custom_ca or None,
            require_client_auth=tls.client_verify,
        )
        return int(server.add_secure_port(place, credentials))
    except RuntimeError as error:
        raise _cannot_listen(place, str(error)) from None


def address(host: str, port: int) -> str:
    """Joins host and port; an IPv6 address gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cannot_listen(place: str, reason: str | None) -> RunError:
    return RunError(
        f"cannot listen on {place}: {reason}; give another --port, --rest_api_port, --host or --grpc_socket_path"
    )

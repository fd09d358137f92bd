"""Addresses, ports and TLS of the server."""

import socket
from typing import Final

import grpc

from imdb_core.errors import RunError
from serving.server.config.flag_files import SslConfig

_BACKLOG: Final = 2048


def bind(host: str, port: int) -> socket.socket:
    """Binds a TCP port, 0 for any free one, without listening yet.

    Raises:
        RunError: The address does not exist or the port is in use.
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
    """Lets clients connect to a port that `bind` bound; returns `host:port`."""
    bound.listen(_BACKLOG)
    return address(host, bound.getsockname()[1])


def add_port(server: grpc.aio.Server, place: str, tls: SslConfig | None) -> int:
    """Adds `host:port` or `unix:path` to a gRPC server that is not started yet; returns the port.

    Raises:
        RunError: The address does not exist or is in use.
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
    """Joins host and port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cannot_listen(place: str, reason: str | None) -> RunError:
    return RunError(
        f"cannot listen on {place}: {reason}; give another --port, --rest_api_port, --host or --grpc_socket_path"
    )

"""Addresses, ports and TLS of the server."""

import socket
from typing import Final

import grpc

from imdb_core.errors import RunError
from serving.server.config.flag_files import SslConfig

# Connections that wait to be accepted.
BACKLOG: Final = 2048
_PING_MILLISECONDS: Final = 60_000
_IDLE_MILLISECONDS: Final = 600_000


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
    bound.listen(BACKLOG)
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


def connection_limits(most: int, seconds: float) -> list[tuple[str, int]]:
    """Returns gRPC's channel arguments for clients that are many, silent or gone.

    Args:
        most: Maximum number of connections; the server closes further ones, which clients see as UNAVAILABLE.
        seconds: Time for a handshake, and for an answer to a ping of an idle connection.
    """
    milliseconds = max(1, round(seconds * 1000))
    return [
        ("grpc.max_allowed_incoming_connections", most),
        ("grpc.server_handshake_timeout_ms", milliseconds),  # of TLS and HTTP/2
        ("grpc.keepalive_time_ms", _PING_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", milliseconds),
        # Clients connect again when they need to, and do not notice.
        ("grpc.max_connection_idle_ms", _IDLE_MILLISECONDS),
    ]


def address(host: str, port: int) -> str:
    """Joins host and port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cannot_listen(place: str, reason: str | None) -> RunError:
    return RunError(
        f"cannot listen on {place}: {reason}; give another --port, --rest_api_port, --host or --grpc_socket_path"
    )

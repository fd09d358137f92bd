"""The HTTP server under clients that are slow, silent, many or gone."""

import asyncio
import http
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.server.listening import BACKLOG

# Longer than clients keep idle connections, so that none writes to a connection that the server is just closing.
_KEEP_ALIVE_SECONDS: Final = 120
# A client that sends or reads more slowly than this, in bytes per second, is taken for one that has stopped.
_SLOWEST: Final = 1024
# Time for a refused client to read the answer; closing a connection with unread input would take the answer back.
_LINGER_SECONDS: Final = 1.0

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class HttpLimits:
    """Limits of the connections.

    Attributes:
        max_connections: Connections beyond this number are answered with 503.
        idle_seconds: Time for a client to send a request or to read a response. It starts again while the client moves
            1 KiB/s or more.
    """

    max_connections: int
    idle_seconds: float


class HttpServer(uvicorn.Server):
    """An HTTP server on a socket that listens; it starts at once."""

    def __init__(self, app: Starlette, listening: socket.socket, limits: HttpLimits) -> None:
        config = uvicorn.Config(
            app,
            http=partial(_Connection, limits=limits),  # type: ignore[arg-type]  # called like the class
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            # That many connections are accepted at a time. If no file is left for one, asyncio reports it, and tries
            # again a second later, as often as this number says, and each of these tries does the same.
            backlog=1,
        )
        super().__init__(config)
        # It warns of each malformed request, with no more than that.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._serving = asyncio.create_task(self.serve([listening]))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to the process, which has more than this server to stop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to accept connections."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(BACKLOG)

    async def stop(self, seconds: int) -> None:
        """Stops when all requests are answered, or after `seconds`."""
        self.config.timeout_graceful_shutdown = seconds
        self.should_exit = True
        await self._serving


class _Connection(H11Protocol):
    """A connection that ends when its client stops sending or reading; errors have TensorFlow Serving's form."""

    def __init__(self, *args: Any, limits: HttpLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._received = 0  # bytes
        seconds = limits.idle_seconds
        self._reading = _Progress(self.loop, seconds, lambda: self._received, self._request_is_late)
        self._writing = _Progress(self.loop, seconds, self._sent, self._response_is_late)
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_LingeringTransport(transport, self))  # type: ignore[arg-type]  # delegates the rest
        most = self._limits.max_connections
        if len(self.connections) > 2 * most:
            self.transport.abort()  # even the answers would be too many
        elif len(self.connections) > most:
            self._refuse(503, f"The server has {most} connections (--max_connections); try again later")
        else:
            self._reading.start()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._received += len(data)
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reading.stop()
        self._writing.stop()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writing.stop()

    def send_400_response(self, msg: str) -> None:
        """Answers a request that is not HTTP."""
        self._refuse(400, msg)

    def is_request_unread(self) -> bool:
        """Returns whether the client has more to send than the server has read."""
        return self._is_refused or self.conn.their_state is h11.SEND_BODY

    def close_slowly(self, transport: asyncio.Transport) -> None:
        """Closes the sending half, and drops what arrives for a moment, so that the client reads the answer."""
        self._is_refused = True
        self._reading.stop()
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, transport.abort)

    def _watch(self) -> None:
        """Measures the time of a request while it is incomplete."""
        has_begun = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not self._is_refused and (has_begun or self.conn.their_state is h11.SEND_BODY):
            self._reading.start()
        else:
            self._reading.stop()

    def _request_is_late(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.transport.abort()  # a client that has sent nothing waits for nothing
            return
        self._refuse(408, f"The request did not arrive within {self._limits.idle_seconds:g} s")

    def _sent(self) -> int:
        return -self.transport.get_write_buffer_size()

    def _response_is_late(self) -> None:
        _LOG.info("A client did not read its response; its connection is closed")
        self.transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        """Answers with an error, unless an answer has begun, and closes the connection."""
        self._is_refused = True
        self._reading.stop()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": message}).encode()
            headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
            reason = http.HTTPStatus(status).phrase.encode()
            response = h11.Response(status_code=status, headers=[*headers.items()], reason=reason)
            events = (response, h11.Data(data=body), h11.EndOfMessage())
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # the application's answer has no place any more
            self.cycle.message_event.set()
        self.transport.close()


class _LingeringTransport:
    """A transport whose `close` lets the client read what was written although it is still sending."""

    def __init__(self, transport: asyncio.Transport, connection: _Connection) -> None:
        self._transport = transport
        self._connection = connection
        self._is_closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self._is_closing = True
        if self._connection.is_request_unread():
            self._connection.close_slowly(self._transport)
        else:
            self._transport.close()


class _Progress:
    """Calls a function when a client has been slower than allowed for some time.

    Args:
        loop: The event loop.
        seconds: The time.
        moved: Returns the number of bytes that the client has moved, from any start.
        late: The function.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, moved: Callable[[], int], late: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._moved = moved
        self._late = late
        self._before = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Starts the time unless it runs."""
        if self._timer is None:
            self._before = self._moved()
            self._timer = self._loop.call_later(self._seconds, self._check)

    def stop(self) -> None:
        """Stops the time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._moved() - self._before >= self._seconds * _SLOWEST:
            self.start()
        else:
            self._late()

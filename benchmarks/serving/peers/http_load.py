"""A closed loop of HTTP clients: each client sends its next request after the response to the previous one."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, cast

from benchmarks.serving.load import LoadResult

_DEADLINE: Final = 60.0
_RETRY_SECONDS: Final = 0.05
_OK: Final = b"200"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


def serialized_request(address: str, path: str, body: bytes) -> bytes:
    """Returns a POST of JSON, as it is sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return head.encode() + b"\r\n" + body


def http_closed_loop(address: str, requests: Sequence[bytes], clients: int, seconds: float) -> LoadResult:
    """Keeps a number of clients busy for some seconds, each with a kept connection and one request in flight.

    As with gRPC, requests are serialized in advance and responses are not parsed beyond their status and length.

    Args:
        address: `host:port` of the server.
        requests: Whole requests, sent in turn; see `serialized_request`.
        clients: How many there are.
        seconds: How long they send.

    Returns:
        The responses; failures are by HTTP status, or say that a connection was lost or that no response came.
    """
    return asyncio.run(_closed_loop(address, requests, clients, seconds))


async def _closed_loop(address: str, requests: Sequence[bytes], clients: int, seconds: float) -> LoadResult:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    result = LoadResult()
    failures: Counter[str] = Counter()
    started = time.perf_counter()

    async def client(number: int) -> None:
        connection = _Client(
            requests[number % len(requests) :: clients] or requests, result, failures, started + seconds
        )
        while time.perf_counter() - started < seconds:
            try:
                await loop.create_connection(lambda: connection, host, int(port))
            except OSError:
                failures["no connection"] += 1
            else:
                await connection.ended(started + seconds + _DEADLINE)
            if time.perf_counter() - started < seconds:
                await asyncio.sleep(_RETRY_SECONDS)  # the connection was lost

    await asyncio.gather(*(client(number) for number in range(clients)))
    result.seconds = time.perf_counter() - started
    result.failures = dict(failures)
    return result


class _Client(asyncio.Protocol):
    """Sends requests over one connection after another, until an instant of `time.perf_counter`."""

    def __init__(self, requests: Sequence[bytes], result: LoadResult, failures: "Counter[str]", until: float) -> None:
        self._requests = requests
        self._result = result
        self._failures = failures
        self._until = until
        self._turn = 0
        self._sent = 0.0  # 0 while no request is in flight
        self._received = b""
        self._transport: asyncio.Transport
        self._ended: asyncio.Future[None]

    async def ended(self, deadline: float) -> None:
        """Waits until the connection ends, and at most until the deadline."""
        _, waiting = await asyncio.wait([self._ended], timeout=deadline - time.perf_counter())
        if waiting:
            self._failures["no response"] += 1
            self._sent = 0.0
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._ended = asyncio.get_running_loop().create_future()
        self._send()

    def data_received(self, data: bytes) -> None:
        """Sends the next request, if the response to the previous one is complete."""
        self._received = received = self._received + data
        end = received.find(b"\r\n\r\n") + 4
        if end < 4:  # noqa: PLR2004 - not found
            return
        head = received[:end]
        found = _LENGTH.search(head)
        if found:
            if len(received) < end + int(found[1]):
                return
        elif not (_CHUNKED.search(head) and received.endswith(_LAST_CHUNK)):
            return
        now = time.perf_counter()
        status = head[9:12]  # after `HTTP/1.1 `
        if status == _OK:
            self._result.milliseconds.append(1000 * (now - self._sent))
            self._result.last = received[end:]
        else:
            self._failures[status.decode("latin-1")] += 1
        if now < self._until:
            self._send()
        else:
            self._sent = 0.0
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Counts a response that did not come."""
        if self._sent:
            self._failures["connection lost"] += 1
            self._sent = 0.0
        if not self._ended.done():
            self._ended.set_result(None)

    def _send(self) -> None:
        self._received = b""
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._turn % len(self._requests)])
        self._turn += 1

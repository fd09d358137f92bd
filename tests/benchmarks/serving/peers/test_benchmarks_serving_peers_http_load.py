import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.serving.peers.http_load import http_closed_loop, serialized_request

Respond = Callable[[int, dict], list[bytes]]  # parts of the response to a request, by its number; none closes
BODY = b'{"probabilities": [0.25, 0.75]}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"


class Seen:
    """What the server saw."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.texts: Counter[str] = Counter()
        self.connections = 0
        self.in_flight = 0
        self.most_in_flight = 0


@contextmanager
def serving(respond: Respond) -> Iterator[Seen]:
    """Runs a server in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = Seen(f"127.0.0.1:{listener.getsockname()[1]}")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                assert head.startswith(f"POST /ask HTTP/1.1\r\nHost: {seen.address}\r\n".encode())
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                request = json.loads(await reader.readexactly(length))
                seen.in_flight += 1
                seen.most_in_flight = max(seen.most_in_flight, seen.in_flight)
                seen.texts[request["text"]] += 1
                await asyncio.sleep(0.005)
                seen.in_flight -= 1
                parts = respond(seen.texts.total(), request)
                for part in parts:
                    writer.write(part)
                    await asyncio.sleep(0.001)
                if not parts:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve() -> None:
        async with await asyncio.start_server(handle, sock=listener):
            while not stopped.is_set():
                await asyncio.sleep(0.02)

    stopped = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield seen
    finally:
        stopped.set()
        thread.join()


def asked(seen: Seen, *texts: str) -> list[bytes]:
    return [serialized_request(seen.address, "/ask", json.dumps({"text": text}).encode()) for text in texts]


def test_each_client_keeps_a_connection_with_one_request_in_flight_and_requests_take_turns():
    with serving(lambda *_: [PLAIN]) as seen:
        result = http_closed_loop(seen.address, asked(seen, *"abcdefgh"), 4, 0.4)
    assert seen.connections == 4
    assert seen.most_in_flight == 4
    assert set(seen.texts) == set("abcdefgh")
    assert len(result.milliseconds) == seen.texts.total() > 8
    assert result.failures == {}
    assert min(result.milliseconds) >= 4  # each took 5 ms
    assert result.seconds >= 0.4
    assert result.last == BODY


def test_more_clients_than_requests_share_them():
    with serving(lambda *_: [PLAIN]) as seen:
        http_closed_loop(seen.address, asked(seen, "a", "b"), 5, 0.2)
    assert set(seen.texts) == {"a", "b"}


def test_responses_may_come_in_parts_and_in_chunks():
    cut = [CHUNKED[:20], CHUNKED[20:60], CHUNKED[60:-3], CHUNKED[-3:]]
    halves = [PLAIN[:-10], PLAIN[-10:]]
    with serving(lambda number, _: [halves, [CHUNKED], cut][number % 3]) as seen:
        result = http_closed_loop(seen.address, asked(seen, "a"), 2, 0.4)
    assert len(result.milliseconds) == seen.texts.total() > 6
    assert result.failures == {}


def test_other_statuses_and_lost_connections_are_failures_and_the_client_goes_on():
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    with serving(lambda number, _: {2: [busy], 4: []}.get(number, [PLAIN])) as seen:
        result = http_closed_loop(seen.address, asked(seen, "a"), 1, 0.4)
    assert result.failures == {"503": 1, "connection lost": 1}
    assert len(result.milliseconds) == seen.texts.total() - 2 > 4
    assert seen.connections == 2


def test_a_response_that_never_comes_is_a_failure(monkeypatch):
    monkeypatch.setattr("benchmarks.serving.peers.http_load._DEADLINE", 0.2)
    with serving(lambda number, _: [PLAIN] if number < 3 else [b"HTTP/1.1 200 OK\r\n"]) as seen:
        result = http_closed_loop(seen.address, asked(seen, "a"), 1, 0.2)
    assert len(result.milliseconds) == 2
    assert result.failures == {"no response": 1}


def test_no_server_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    result = http_closed_loop(address, [b""], 1, 0.1)
    assert result.milliseconds == []
    assert set(result.failures) == {"no connection"}

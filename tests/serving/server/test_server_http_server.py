from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from limited_server import MAX_BODY, MOST, SECONDS, LimitedServer, limited_server
from tiny_models import push, write_gate
from waiting import wait_until

pytestmark = pytest.mark.slow

LONG = 20.0
BODY = json.dumps({"instances": [1.0, 2.0]}).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, half_plus_two: Path) -> Iterator[LimitedServer]:
    models = tmp_path_factory.mktemp("limited")
    push(half_plus_two, models / "half", 1)
    write_gate(models / "gate" / "1")
    with limited_server(models) as running:
        yield running


@pytest.fixture(autouse=True)
def _quiet(server: LimitedServer, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever clients do, nothing is logged as a fault, and the next client is served."""
    yield
    assert answer(server, request("half"))[0] == 200
    assert server.problems == []
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR", "CRITICAL")] == []
    wait_until(lambda: server.memory.taken == 0)


def connect(server: LimitedServer, received: int | None = None) -> socket.socket:
    client = socket.socket()
    if received:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
    client.settimeout(LONG)
    client.connect(("127.0.0.1", server.rest_port))
    return client


def request(model: str, body: bytes = BODY, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"POST /v1/models/{model}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + body


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(2**16), b""))


def parsed(response: bytes) -> tuple[int, dict]:
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def answer(server: LimitedServer, sent: bytes) -> tuple[int, dict]:
    with connect(server) as client:
        client.sendall(sent.replace(b"Host: x", b"Host: x\r\nConnection: close", 1))
        return parsed(read_all(client))


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("sent", [b"P", request("half")[:40], request("half")[:-1], request("half", b"", 10)])
def test_a_half_sent_request_is_answered_with_408(server: LimitedServer, sent: bytes) -> None:
    with connect(server) as client:
        client.sendall(sent)
        start = time.monotonic()
        assert parsed(read_all(client)) == (408, {"error": f"The request did not arrive within {SECONDS:g} s"})
        assert SECONDS * 0.9 < time.monotonic() - start < SECONDS + 5


def test_bytes_that_trickle_in_do_not_keep_a_connection(server: LimitedServer) -> None:
    with connect(server) as client:
        client.sendall(request("half", b"", 10**6))
        start = time.monotonic()
        client.settimeout(0.05)
        while True:
            client.send(b" ")
            try:
                response = client.recv(2**16)
                break
            except TimeoutError:
                assert time.monotonic() - start < SECONDS + 5
        assert response.startswith(b"HTTP/1.1 408 ")


def test_a_slow_client_that_goes_on_sending_is_served(server: LimitedServer) -> None:
    with connect(server) as client:
        client.sendall(request("half", b"", 20 * 1024 + len(BODY)))
        for _ in range(20):
            client.sendall(b" " * 1024)
            time.sleep(SECONDS / 5)
        client.sendall(BODY)
        assert client.recv(2**16).startswith(b"HTTP/1.1 200 ")


def test_a_silent_connection_is_closed_without_an_answer(server: LimitedServer) -> None:
    with connect(server) as client:
        assert client.recv(1) == b""


def test_half_a_second_request_is_answered_with_408(server: LimitedServer) -> None:
    with connect(server) as client:
        client.sendall(request("half"))
        response = b""
        while not response.endswith(b"}"):
            response += client.recv(2**16)
        time.sleep(2 * SECONDS)  # an idle connection is kept
        client.sendall(request("half")[:30])
        assert read_all(client).startswith(b"HTTP/1.1 408 ")


def test_connections_beyond_the_limit_are_answered_with_503(server: LimitedServer) -> None:
    refused = {"error": f"The server has {MOST} connections (--max_connections); try again later"}
    with ExitStack() as open_:
        kept = [open_.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}")) for _ in range(MOST)]
        for client in kept:
            assert client.get("/v1/models/half").status_code == 200
        with connect(server) as one_more:
            one_more.sendall(request("half", b" " * 10**6))
            assert parsed(read_all(one_more)) == (503, refused)
        for client in kept:  # they are not concerned
            assert client.get("/v1/models/half").status_code == 200
    wait_until(lambda: answer(server, request("half"))[0] == 200)


def test_connections_far_beyond_the_limit_are_closed(server: LimitedServer) -> None:
    clients = [connect(server) for _ in range(8 * MOST)]
    ends = []
    for client in clients:
        try:
            ends.append(read_all(client)[:12])
        except ConnectionResetError:
            ends.append(b"")
        client.close()
    assert b"HTTP/1.1 503" in ends
    assert b"" in ends
    wait_until(lambda: answer(server, request("half"))[0] == 200)


def test_a_response_that_nobody_reads_does_not_keep_a_connection(server: LimitedServer) -> None:
    with connect(server, received=4096) as client:
        # 8 MB, more than the system keeps for a connection
        client.sendall(request("half", json.dumps({"signature_name": "explain", "instances": [""] * 30_000}).encode()))
        wait_until(lambda: server.connections)
        wait_until(lambda: not server.connections)


@pytest.mark.parametrize("leave", [reset, socket.socket.close, lambda client: client.shutdown(socket.SHUT_WR)])
@pytest.mark.parametrize(
    "sent",
    [b"PO", request("half")[:30], request("half")[:-1], request("half"), request("half") * 3, b"\x16\x03\x01\x02\x00"],
)
def test_a_client_that_goes_away_leaves_no_trace(
    server: LimitedServer, sent: bytes, leave: Callable[[socket.socket], None]
) -> None:
    with connect(server) as client:
        client.sendall(sent)
        time.sleep(0.02)
        leave(client)
        time.sleep(0.05)


@pytest.mark.parametrize("leave", [reset, socket.socket.close])
def test_the_work_for_a_client_that_goes_away_is_dropped(
    server: LimitedServer, tmp_path: Path, leave: Callable[[socket.socket], None]
) -> None:
    file = tmp_path / "file"
    gate = json.dumps({"signature_name": "serving_default", "inputs": str(file)}).encode()
    with connect(server) as holds, connect(server) as leaves:
        holds.sendall(request("gate", gate))
        wait_until(lambda: server.batcher._running)
        before = len(server.runs)
        leaves.sendall(request("half"))
        wait_until(lambda: server.batcher._waiting)
        leave(leaves)
        time.sleep(0.3)
        file.touch()
        assert holds.recv(2**16).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: not server.batcher._waiting)
    assert [run.servable.name for run in server.runs[before:]] == ["gate"]


def test_the_answer_to_a_body_that_is_too_long_can_be_read_while_it_is_sent(server: LimitedServer) -> None:
    with connect(server) as client:
        client.sendall(request("half", b" " * (2 * MAX_BODY)))
        status, body = parsed(read_all(client))
    assert (status, f"larger than {MAX_BODY} bytes" in body["error"]) == (413, True)


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 50 + b"\r\n\r\n"])
def test_what_is_not_http_is_answered_with_400(server: LimitedServer, sent: bytes) -> None:
    assert answer(server, sent) == (400, {"error": "Invalid HTTP request received."})


def test_a_malformed_chunk_is_answered_with_400(server: LimitedServer) -> None:
    head = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for chunks in (b"ZZ\r\n", b"1\r\n{\r\nZZ\r\n"):
        assert answer(server, head + chunks)[0] == 400


def test_small_requests_are_answered_while_a_large_one_is_converted(server: LimitedServer) -> None:
    with connect(server) as large, httpx.Client(base_url=f"http://127.0.0.1:{server.rest_port}") as client:
        large.sendall(request("half", json.dumps({"instances": [1.5] * 200_000}).encode()))
        large.setblocking(False)
        answered = 0
        while True:
            try:
                start = large.recv(2**16)
                break
            except BlockingIOError:
                assert client.get("/v1/models/half").status_code == 200
                answered += 1
    assert start.startswith(b"HTTP/1.1 200 ")
    assert answered > 10

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from contract_models import floats, predict, spec
from limited_server import EACH, MOST, SECONDS, LimitedServer, limited_server
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_service_pb2_grpc
from tiny_models import push, write_gate
from waiting import wait_until

pytestmark = pytest.mark.slow

DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_HEADERS, END_STREAM = 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PREDICT = "/tensorflow.serving.PredictionService/Predict"


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
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        assert half(channel) == [2.5]
    assert server.problems == []
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR", "CRITICAL")] == []
    wait_until(lambda: server.memory.taken == 0)


def stub_of(channel: grpc.Channel) -> prediction_service_pb2_grpc.PredictionServiceStub:
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def half(channel: grpc.Channel) -> list[float]:
    response = stub_of(channel).Predict(predict(spec("half"), x=floats(1.0)), timeout=20, wait_for_ready=True)
    return list(response.outputs["y"].float_val)


def connect(server: LimitedServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.grpc_port), timeout=20)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(method: str) -> bytes:
    """Returns the headers of a call, each as a literal that is not indexed."""
    fields = {":method": "POST", ":scheme": "http", ":path": method, ":authority": "x", "te": "trailers"}
    fields["content-type"] = "application/grpc"
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


def begin(client: socket.socket, method: str = PREDICT) -> None:
    client.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, headers(method)))


def frames(client: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yields kind and content of the frames that the server sends until it closes the connection."""
    received = client.makefile("rb")
    while head := received.read(9):
        yield head[3], received.read(int.from_bytes(head[:3], "big"))


@pytest.mark.parametrize("part", [b"", b"\x00\x00", b"\x00\x00\x00\x01\x00half", b"\x00\x7f\xff\xff\xff"])
def test_half_a_message_is_answered_with_a_deadline(server: LimitedServer, part: bytes) -> None:
    with connect(server) as client:
        begin(client)
        client.sendall(frame(DATA, 0, 1, part))
        start = time.monotonic()
        assert next(content for kind, content in frames(client) if kind == HEADERS)  # the status, compressed
        assert SECONDS * 0.9 < time.monotonic() - start < SECONDS + 5


def test_a_request_without_a_message_is_answered(server: LimitedServer) -> None:
    with connect(server) as client:
        begin(client)
        client.sendall(frame(DATA, END_STREAM, 1))
        assert any(kind == HEADERS for kind, _ in frames(client) if kind in (HEADERS, GOAWAY))


@pytest.mark.parametrize("sent", [b"", b"PRI", PREFACE, b"\x16\x03\x01\x00\xff"])
def test_a_handshake_that_does_not_end_is_ended(server: LimitedServer, sent: bytes) -> None:
    with connect(server) as client:
        client.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert dict(frames(client)).keys() <= {SETTINGS, GOAWAY, PING, WINDOW_UPDATE}


def test_connections_beyond_the_limit_are_refused(server: LimitedServer) -> None:
    target = f"127.0.0.1:{server.grpc_port}"
    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection for each channel
    channels = [grpc.insecure_channel(target, own) for _ in range(MOST + 1)]
    try:
        for channel in channels[:MOST]:
            assert half(channel) == [2.5]
        with pytest.raises(grpc.RpcError) as caught:
            stub_of(channels[MOST]).Predict(predict(spec("half"), x=floats(1.0)), timeout=20)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        for channel in channels[:MOST]:  # they are not concerned
            assert half(channel) == [2.5]
        channels[0].close()
        assert half(channels[MOST]) == [2.5]
    finally:
        for channel in channels:
            channel.close()


def test_the_work_for_a_cancelled_call_is_dropped(server: LimitedServer, tmp_path: Path) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = stub_of(channel)
        file = predict(spec("gate"))
        file.inputs["file"].dtype = types_pb2.DT_STRING
        file.inputs["file"].string_val.append(str(tmp_path / "file").encode())
        file.inputs["file"].tensor_shape.SetInParent()
        holds = stub.Predict.future(file, timeout=20)
        wait_until(lambda: server.batcher._running)
        before = len(server.runs)
        calls = [stub.Predict.future(predict(spec("half"), x=floats(1.0)), timeout=20) for _ in range(5)]
        wait_until(lambda: sum(server.batcher._waiting.values()) == 5)
        for call in calls:
            call.cancel()
        time.sleep(0.3)
        (tmp_path / "file").touch()
        assert holds.result().outputs["there"].bool_val == [True]
    wait_until(lambda: not server.batcher._waiting)
    assert [run.servable.name for run in server.runs[before:]] == ["gate"]


def test_a_channel_that_is_closed_during_calls_leaves_no_trace(server: LimitedServer) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for _ in range(50):
            stub_of(channel).Predict.future(predict(spec("half"), x=floats(*range(1000))))
    time.sleep(0.2)


def test_a_small_message_for_many_rows_is_refused(server: LimitedServer) -> None:
    request = predict(spec("half"), x=floats(1.0))
    request.inputs["x"].tensor_shape.dim[0].size = EACH // 4
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            stub_of(channel).Predict(request, timeout=20)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "--max_tensor_bytes allows 16.0 MiB" in caught.value.details()
        request.inputs["x"].tensor_shape.dim[0].size = 1_000_000  # is within reason
        assert len(stub_of(channel).Predict(request, timeout=20).outputs["y"].float_val) == 1_000_000
        metadata = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec={"name": "half"}, metadata_field=["signature_def"]
        )
        assert stub_of(channel).GetModelMetadata(metadata, timeout=20).model_spec.version.value == 1

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from certificates import write_certificates
from contract_models import HALF, floats, predict, spec
from google.protobuf import descriptor_pb2
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from running_server import RunningServer, running_server
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tiny_models import push

PREDICT = "/tensorflow.serving.PredictionService/Predict"
LIMIT = 20_000


# --- a server with default options


def test_health_is_that_of_tensorflow_serving(contract_channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(contract_channel)
    for name in ("", "ModelService", "PredictionService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="tensorflow.serving.PredictionService"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_describes_all_services(contract_channel: grpc.Channel) -> None:
    def ask(**request: str) -> reflection_pb2.ServerReflectionResponse:
        (answer,) = reflection_pb2_grpc.ServerReflectionStub(contract_channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=10
        )
        return answer

    services = {service.name for service in ask(list_services="").list_services_response.service}
    assert services == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
    }
    found = ask(file_containing_symbol="tensorflow.serving.PredictionService")
    file = descriptor_pb2.FileDescriptorProto.FromString(found.file_descriptor_response.file_descriptor_proto[0])
    assert {"Classify", "GetModelMetadata", "MultiInference", "Predict", "Regress"} == {
        method.name for method in file.service[0].method
    }


@pytest.mark.parametrize(
    "method",
    [
        "/tensorflow.serving.SessionService/SessionRun",
        "/tensorflow.serving.PredictionService/Nothing",
        "/tensorflow.ProfilerService/Profile",
    ],
)
def test_unknown_rpcs_are_unimplemented(contract_channel: grpc.Channel, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        contract_channel.unary_unary(method)(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_malformed_request_is_an_internal_error(contract_channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        contract_channel.unary_unary(PREDICT)(b"\xff", timeout=10)
    assert caught.value.code() is grpc.StatusCode.INTERNAL


def test_metrics_count_requests_by_status(contract_server: RunningServer, contract_channel: grpc.Channel) -> None:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(contract_channel)
    stub.Predict(predict(spec(), x=floats(1.0)), timeout=10)
    for made_up in ("made-up-1", "made-up-2"):
        with pytest.raises(grpc.RpcError):
            stub.Predict(predict(spec(made_up), x=floats(1.0)), timeout=10)
    page = httpx.get(f"{contract_server.url}/monitoring/prometheus/metrics").text
    assert f':tensorflow:serving:request_count{{model_name="{HALF}",status="OK"}}' in page
    assert ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"}' in page
    assert f':tensorflow:serving:runtime_latency_count{{API="Predict",model_name="{HALF}",runtime="TF1"}}' in page
    assert "made-up" not in page


# --- a server with TLS and tight limits


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Key and self-signed certificate of localhost."""
    files = write_certificates(tmp_path_factory.mktemp("certificate"))
    return files.key.read_bytes(), files.certificate.read_bytes()


@pytest.fixture(scope="module")
def strict_server(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[bytes, bytes], slow: Path
) -> Iterator[tuple[RunningServer, Path]]:
    """Serves `slow` (300 ms) with TLS, one running and one waiting call, and requests of up to 20 kB."""
    folder = tmp_path_factory.mktemp("strict")
    push(slow, folder / "slow", 1)
    key, pem = (json.dumps(text.decode()) for text in certificate)
    (folder / "ssl.config").write_text(f"server_key: {key} server_cert: {pem} custom_ca: {pem} client_verify: true")
    (folder / "batching.config").write_text(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 1 } num_batch_threads { value: 1 }"
    )
    # The path of a socket must be short.
    socket_path = Path(f"/tmp/{folder.name}-{time.monotonic_ns()}.sock")  # noqa: S108 - named after the test's own folder
    with running_server(
        "--model_name=slow",
        f"--model_base_path={folder / 'slow'}",
        f"--ssl_config_file={folder / 'ssl.config'}",
        f"--grpc_socket_path={socket_path}",
        f"--grpc_channel_arguments=grpc.max_receive_message_length={LIMIT}",
        "--enable_batching",
        f"--batching_parameters_file={folder / 'batching.config'}",
        "--rest_api_timeout_in_ms=100",
    ) as server:
        yield server, socket_path
    socket_path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def strict(
    strict_server: tuple[RunningServer, Path], certificate: tuple[bytes, bytes]
) -> Iterator[prediction_service_pb2_grpc.PredictionServiceStub]:
    key, pem = certificate
    server, _ = strict_server
    with grpc.secure_channel(f"localhost:{server.grpc_port}", grpc.ssl_channel_credentials(pem, key, pem)) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def slow_request(*values: float) -> Message:
    return predict(spec("slow"), x=floats(*values or (1.0,)))


def test_tls_accepts_clients_with_a_certificate(strict: prediction_service_pb2_grpc.PredictionServiceStub) -> None:
    assert strict.Predict(slow_request(3.0), timeout=20).outputs["y"].float_val == [3.0]


@pytest.mark.parametrize("with_root", [True, False])
def test_tls_refuses_clients_without_a_certificate(
    strict_server: tuple[RunningServer, Path], certificate: tuple[bytes, bytes], with_root: bool
) -> None:
    target = f"localhost:{strict_server[0].grpc_port}"
    channel = (
        grpc.secure_channel(target, grpc.ssl_channel_credentials(certificate[1]))
        if with_root
        else grpc.insecure_channel(target)
    )
    with channel, pytest.raises(grpc.RpcError) as caught:
        prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(slow_request(), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_unix_socket_serves_too(strict_server: tuple[RunningServer, Path]) -> None:
    with grpc.insecure_channel(f"unix:{strict_server[1]}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert stub.Predict(slow_request(5.0), timeout=20).outputs["y"].float_val == [5.0]


def test_a_request_over_the_size_limit_is_refused(
    strict: prediction_service_pb2_grpc.PredictionServiceStub, strict_server: tuple[RunningServer, Path]
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        strict.Predict(slow_request(*[1.0] * LIMIT), timeout=20)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    refused = httpx.post(f"{strict_server[0].url}/v1/models/slow:predict", content=b"1" * (LIMIT + 1))
    assert (refused.status_code, refused.json()) == (
        413,
        {"error": f"Request body is larger than {LIMIT} bytes"},
    )


def test_a_request_ends_at_its_deadline(
    strict: prediction_service_pb2_grpc.PredictionServiceStub, strict_server: tuple[RunningServer, Path]
) -> None:
    start = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        strict.Predict(slow_request(), timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    late = httpx.post(f"{strict_server[0].url}/v1/models/slow:predict", json={"instances": [1.0]}, timeout=20)
    assert late.status_code == 504
    assert "error" in late.json()
    assert time.monotonic() - start < 10
    # Later requests are not affected.
    assert strict.Predict(slow_request(4.0), timeout=20).outputs["y"].float_val == [4.0]


def test_a_full_queue_refuses_requests_at_once(strict: prediction_service_pb2_grpc.PredictionServiceStub) -> None:
    def code(_: int) -> grpc.StatusCode:
        try:
            strict.Predict(slow_request(), timeout=20)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(code, range(8)))
    assert {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED} == set(codes)
    # One runs and one waits; more are accepted if one ends in the meantime.
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) >= 4

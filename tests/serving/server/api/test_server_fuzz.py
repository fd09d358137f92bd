"""Any input gets a status in time, and the server continues to serve."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2, inference_pb2, predict_pb2
from tiny_models import write_half_plus_two

from serving.launch import LaunchedServer, launched_server

pytestmark = pytest.mark.slow

NAME = "half_plus_two"
DEADLINE = 20.0
METHODS = [
    "/tensorflow.serving.PredictionService/Predict",
    "/tensorflow.serving.PredictionService/Classify",
    "/tensorflow.serving.PredictionService/Regress",
    "/tensorflow.serving.PredictionService/MultiInference",
    "/tensorflow.serving.PredictionService/GetModelMetadata",
    "/tensorflow.serving.ModelService/GetModelStatus",
]
# Statuses of invalid requests. UNKNOWN and INTERNAL would be bugs, uncaught or caught.
ALLOWED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # a tensor that claims more memory than allowed
}
# Additional statuses of bytes that are not a valid message.
UNREADABLE = {grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT}

FUZZ = settings(max_examples=200, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedServer]:
    base = tmp_path_factory.mktemp("fuzz") / NAME
    write_half_plus_two(base / "1")
    with launched_server(f"--model_name={NAME}", f"--model_base_path={base}", "--rest_api_port=0") as running:
        yield running
        assert_still_serves(running)


@pytest.fixture(scope="module")
def channel(server: LaunchedServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.target) as opened:
        yield opened


def assert_still_serves(server: LaunchedServer) -> None:
    assert server.process.poll() is None
    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    request.inputs["x"].CopyFrom(
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[4.0], tensor_shape={"dim": [{"size": 1}]})
    )
    with grpc.insecure_channel(server.target) as channel:
        call = channel.unary_unary(METHODS[0], response_deserializer=predict_pb2.PredictResponse.FromString)
        assert list(call(request.SerializeToString(), timeout=DEADLINE).outputs["y"].float_val) == [4.0]


def status(channel: grpc.Channel, method: str, request: bytes) -> grpc.StatusCode:
    try:
        channel.unary_unary(method)(request, timeout=DEADLINE)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@FUZZ
@given(method=st.sampled_from(METHODS), request=st.binary(max_size=200))
def test_any_bytes_get_a_status(channel: grpc.Channel, method: str, request: bytes) -> None:
    assert status(channel, method, request) in {grpc.StatusCode.OK, *ALLOWED, *UNREADABLE}


names = st.sampled_from([NAME, "", "other", "x", "inputs", "text", "serving_default", "\0", "é" * 2000])
dtypes = st.sampled_from([*types_pb2.DataType.values(), 999])
sizes = st.integers(-3, 5) | st.sampled_from([2**31, 2**62, -(2**63)])


@st.composite
def tensors(draw: st.DrawFn) -> tensor_pb2.TensorProto:
    tensor = tensor_pb2.TensorProto(dtype=draw(dtypes))
    for size in draw(st.lists(sizes, max_size=4)):
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_shape.unknown_rank = draw(st.booleans())
    if draw(st.booleans()):
        tensor.tensor_content = draw(st.binary(max_size=64))
    tensor.float_val.extend(draw(st.lists(st.floats(width=32), max_size=4)))
    tensor.string_val.extend(draw(st.lists(st.binary(max_size=8), max_size=4)))
    tensor.int64_val.extend(draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4)))
    return tensor


@st.composite
def model_specs(draw: st.DrawFn) -> dict:
    spec = {"name": draw(names), "signature_name": draw(names)}
    chosen = draw(st.sampled_from(["version", "version_label", None]))
    if chosen == "version":
        spec["version"] = {"value": draw(st.integers(-(2**63), 2**63 - 1))}
    if chosen == "version_label":
        spec["version_label"] = draw(names)
    return spec


@st.composite
def predict_requests(draw: st.DrawFn) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec=draw(model_specs()))
    for alias, tensor in draw(st.dictionaries(names, tensors(), max_size=3)).items():
        request.inputs[alias].CopyFrom(tensor)
    request.output_filter.extend(draw(st.lists(names, max_size=3)))
    return request


@FUZZ
@given(request=predict_requests())
def test_any_predict_request_gets_a_status(channel: grpc.Channel, request: predict_pb2.PredictRequest) -> None:
    assert status(channel, METHODS[0], request.SerializeToString()) in {grpc.StatusCode.OK, *ALLOWED}


@FUZZ
@given(tensor=tensors())
def test_any_tensor_gets_a_status(channel: grpc.Channel, tensor: tensor_pb2.TensorProto) -> None:
    request = predict_pb2.PredictRequest(model_spec={"name": NAME})
    request.inputs["x"].CopyFrom(tensor)
    assert status(channel, METHODS[0], request.SerializeToString()) in {grpc.StatusCode.OK, *ALLOWED}


@FUZZ
@given(spec=model_specs(), examples=st.lists(st.binary(max_size=64), max_size=3), with_context=st.booleans())
def test_any_classification_gets_a_status(
    channel: grpc.Channel, spec: dict, examples: list, with_context: bool
) -> None:
    # Built by hand, because the message class would refuse invalid examples: field 1 holds the examples.
    body = b"".join(b"\x0a" + bytes([len(example)]) + example for example in examples)
    kind = b"\x12" if with_context else b"\x0a"
    request = classification_pb2.ClassificationRequest(model_spec=spec).SerializeToString()
    request += b"\x12" + bytes([len(body) + 2]) + kind + bytes([len(body)]) + body if len(body) < 120 else b""
    for method in METHODS[1:3]:
        assert status(channel, method, request) in {grpc.StatusCode.OK, *ALLOWED, *UNREADABLE}


@FUZZ
@given(specs=st.lists(model_specs(), max_size=3), methods=st.lists(names, min_size=3, max_size=3))
def test_any_multi_inference_gets_a_status(channel: grpc.Channel, specs: list, methods: list) -> None:
    request = inference_pb2.MultiInferenceRequest(
        tasks=[{"model_spec": spec, "method_name": method} for spec, method in zip(specs, methods, strict=False)]
    )
    assert status(channel, METHODS[3], request.SerializeToString()) in {grpc.StatusCode.OK, *ALLOWED}


@FUZZ
@given(spec=model_specs(), fields=st.lists(names, max_size=2))
def test_any_metadata_request_gets_a_status(channel: grpc.Channel, spec: dict, fields: list) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=fields)
    assert status(channel, METHODS[4], request.SerializeToString()) in {grpc.StatusCode.OK, *ALLOWED}


keys = st.text(max_size=6) | st.just("b64")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.just("b64"), inner, max_size=3)
    ),
    max_leaves=12,
)
verbs = st.sampled_from(["", ":predict", ":classify", ":regress", "/metadata"])
bodies = st.one_of(
    st.binary(max_size=60),
    st.fixed_dictionaries(
        {},
        optional={"instances": values, "inputs": values, "signature_name": values, "examples": values},
    ).map(lambda body: json.dumps(body).encode()),
)
paths = st.sampled_from([f"/v1/models/{NAME}", f"/v1/models/{NAME}/versions/1", "/v1/models/other", "/v1"]) | st.text(
    alphabet="/v1models:%é ", max_size=20
).map(lambda path: f"/{path}")


@FUZZ
@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=paths,
    verb=st.sampled_from(["", ":predict", ":classify", ":regress", "/metadata"]),
    body=bodies,
)
def test_any_http_request_gets_a_status(server: LaunchedServer, method: str, path: str, verb: str, body: bytes) -> None:
    response = httpx.request(method, f"http://{server.rest}{path}{verb}", content=body, timeout=DEADLINE)
    assert response.status_code in {200, 400, 404, 405, 501}, response.text
    if (method, path + verb) == ("GET", "/"):  # the live page
        assert response.headers["content-type"].startswith("text/html")
        return
    assert isinstance(response.json(), dict)
    if response.status_code != 200:
        assert isinstance(response.json()["error"], str)

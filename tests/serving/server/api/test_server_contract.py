"""TensorFlow Serving's contract, row by row, over a real socket: case, request, code, message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import tensorflow as tf
from contract_models import HALF, HURT, SHARED, SUM, examples, floats, predict, spec, texts
from google.protobuf.message import Message
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

Row = tuple[str, Message, grpc.StatusCode, str]


@pytest.fixture(scope="module")
def call(contract_channel: grpc.Channel) -> Callable[[Message], Any]:
    """Sends a request to its RPC."""
    prediction = prediction_service_pb2_grpc.PredictionServiceStub(contract_channel)
    models = model_service_pb2_grpc.ModelServiceStub(contract_channel)
    rpcs = {
        predict_pb2.PredictRequest: prediction.Predict,
        classification_pb2.ClassificationRequest: prediction.Classify,
        regression_pb2.RegressionRequest: prediction.Regress,
        inference_pb2.MultiInferenceRequest: prediction.MultiInference,
        get_model_metadata_pb2.GetModelMetadataRequest: prediction.GetModelMetadata,
        get_model_status_pb2.GetModelStatusRequest: models.GetModelStatus,
        model_management_pb2.ReloadConfigRequest: models.HandleReloadConfigRequest,
    }
    return lambda request: rpcs[type(request)](request, timeout=30)


def classify(model: model_pb2.ModelSpec, given: input_pb2.Input | None = None) -> Message:
    return classification_pb2.ClassificationRequest(model_spec=model, input=given or examples(2.0))


def regress(model: model_pb2.ModelSpec, given: input_pb2.Input | None = None) -> Message:
    return regression_pb2.RegressionRequest(model_spec=model, input=given or examples(2.0))


def multi(*tasks: tuple[model_pb2.ModelSpec, str]) -> inference_pb2.MultiInferenceRequest:
    request = inference_pb2.MultiInferenceRequest(input=examples(2.0))
    for model, method in tasks:
        request.tasks.add(model_spec=model, method_name=method)
    return request


def metadata(model: model_pb2.ModelSpec, *fields: str) -> Message:
    return get_model_metadata_pb2.GetModelMetadataRequest(model_spec=model, metadata_field=fields or ["signature_def"])


def status(model: model_pb2.ModelSpec) -> Message:
    return get_model_status_pb2.GetModelStatusRequest(model_spec=model)


def reload(*models: dict[str, Any]) -> model_management_pb2.ReloadConfigRequest:
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for model in models:
        request.config.model_config_list.config.add(**{"model_platform": "tensorflow", **model})
    return request


def lookups() -> Iterator[Row]:
    """Yields the rows for faulty model specs, for all RPCs of PredictionService."""
    for make in (
        lambda model: predict(model, x=floats(1.0)),
        classify,
        regress,
        metadata,
        lambda model: multi((model, CLASSIFY)),
    ):
        rpc = type(make(spec())).__name__
        yield f"{rpc}: empty name", make(spec("")), INVALID, "ModelSpec has no name specified."
        yield f"{rpc}: unknown model", make(spec("x")), NOT_FOUND, "Servable not found for request: Latest(x)"
        yield (
            f"{rpc}: unknown version",
            make(spec(version=7)),
            NOT_FOUND,
            f"Servable not found for request: Specific({HALF}, 7)",
        )
        yield (
            f"{rpc}: version of an unknown model",
            make(spec("x", version=0)),
            NOT_FOUND,
            "Servable not found for request: Specific(x, 0)",
        )
        yield (
            f"{rpc}: unknown label",
            make(spec(label="beta")),
            INVALID,
            "Unrecognized servable version label: beta",
        )
        yield (
            f"{rpc}: label of a version that is not there",
            make(spec(label="lost")),
            NOT_FOUND,
            f"Servable not found for request: Specific({HALF}, 9)",
        )
        yield (
            f"{rpc}: broken version",
            make(spec(HURT, version=2)),
            NOT_FOUND,
            f"Servable not found for request: Specific({HURT}, 2)",
        )
    for request in (
        predict_pb2.PredictRequest(),
        classification_pb2.ClassificationRequest(),
        regression_pb2.RegressionRequest(),
        get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]),
    ):
        yield f"{type(request).__name__}: no model_spec", request, INVALID, "Missing ModelSpec"


MALFORMED = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"123", tensor_shape={"dim": [{"size": 1}]})
BAD_EXAMPLES = input_pb2.Input(example_list={"examples": [{}]})

PREDICT: list[Row] = [
    (
        "unknown signature",
        predict(spec(signature="q"), x=floats(1.0)),
        PRECONDITION,
        'Serving signature key "q" not found.',
    ),
    (
        "too few inputs",
        predict(spec(SUM), a=floats(1.0)),
        INVALID,
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
    ),
    (
        "too many inputs",
        predict(spec(), x=floats(1.0), z=floats(1.0), y=floats(1.0)),
        INVALID,
        "input size does not match signature: 3!=1 len({x,y,z}) != len({x}). Sent extra: {y,z}. "
        "Missing but required: {}.",
    ),
    (
        "no input",
        predict(spec()),
        INVALID,
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
    ),
    (
        "right count, wrong alias",
        predict(spec(), y=floats(1.0)),
        INVALID,
        "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value provided. "
        "Inputs expected to be in the request {y}, or default input alias set: ",
    ),
    (
        "extra alias next to defaults",
        predict(spec(SUM, signature="with_default"), a=floats(1.0), z=floats(1.0)),
        INVALID,
        "Inputs contains invalid name. Used request inputs: a, request input: a,z",
    ),
    ("malformed TensorProto", predict(spec(), x=MALFORMED), INVALID, "tensor parsing error: x"),
    (
        "bad output_filter",
        predict(spec(), ["F"], x=floats(1.0)),
        INVALID,
        "output tensor alias not found in signature: F Outputs expected to be in the set {y}.",
    ),
    (
        "repeated filter",
        predict(spec(), ["y", "y"], x=floats(1.0)),
        INVALID,
        "duplicate output tensor alias: y",
    ),
    (
        "wrong dtype",
        predict(spec(), x=texts(b"a")),
        INVALID,
        "Expects arg[0] to be float but string is provided",
    ),
    (
        "op failure",
        predict(spec(signature="classify"), inputs=texts(b"not an example")),
        INVALID,
        "Could not parse example input, value: 'not an example'…",
    ),
    (
        "op failure on bytes that are no UTF-8",
        predict(spec(signature="classify"), inputs=texts(b"\xff")),
        INVALID,
        "Could not parse example input, value: '\N{REPLACEMENT CHARACTER}'…",
    ),
]

EXAMPLES: list[Row] = [
    (
        "Classify: unknown signature",
        classify(spec(signature="q")),
        INVALID,
        "No signature was found with the name: q",
    ),
    ("Regress: unknown signature", regress(spec(signature="q")), INVALID, "No signature was found with the name: q"),
    (
        "Classify: wrong input key",
        classify(spec()),
        PRECONDITION,
        "No classification inputs found in SignatureDef: …",
    ),
    ("Regress: wrong input key", regress(spec()), PRECONDITION, "No regression inputs found in SignatureDef: …"),
    (
        "Classify: wrong outputs",
        classify(spec(signature="regress")),
        PRECONDITION,
        'Expected classification signature outputs to contain at least one of "classes" or "scores". …',
    ),
    (
        "Regress: two outputs",
        regress(spec(signature="classify")),
        INVALID,
        "Expected one output Tensor.",
    ),
    ("Classify: two inputs", classify(spec(SUM)), INVALID, "Expected one input Tensor."),
    ("Classify: empty input", classify(spec(signature="classify"), input_pb2.Input()), INVALID, "Input is empty."),
    ("Regress: empty input", regress(spec(signature="regress"), input_pb2.Input()), INVALID, "Input is empty."),
    (
        "Regress: examples without the feature",
        regress(spec(signature="regress"), BAD_EXAMPLES),
        INVALID,
        "Name: <unknown>, Feature: x (data type: float) is required but could not be found.…",
    ),
]

MULTI_INFERENCE: list[Row] = [
    (
        "two models",
        multi((spec(SHARED, signature="classify"), CLASSIFY), (spec(HALF, signature="regress"), REGRESS)),
        INVALID,
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    (
        "a signature twice",
        multi((spec(SHARED, signature="regress"), REGRESS), (spec(SHARED, signature="regress"), REGRESS)),
        INVALID,
        "Duplicate evaluation of signature: regress",
    ),
    (
        "unknown signature",
        multi((spec(SHARED, signature="q"), REGRESS)),
        INVALID,
        "Requested signature not found in model graph: q",
    ),
    (
        "another method",
        multi((spec(SHARED, signature="regress"), "tensorflow/serving/predict")),
        UNIMPLEMENTED,
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
]

METADATA: list[Row] = [
    (
        "no field",
        get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec()),
        INVALID,
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    ("unknown field", metadata(spec(), "q"), INVALID, "Metadata field q is not supported"),
]

STATUS: list[Row] = [
    ("no spec", get_model_status_pb2.GetModelStatusRequest(), INVALID, "Missing ModelSpec"),
    ("unknown model", status(spec("x")), NOT_FOUND, "Could not find any versions of model x"),
    ("unknown version", status(spec(version=7)), NOT_FOUND, f"Could not find version 7 of model {HALF}"),
]

RELOAD: list[Row] = [
    (
        "no list",
        model_management_pb2.ReloadConfigRequest(),
        INVALID,
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    ),
    (
        "a name twice",
        reload({"name": "m", "base_path": "/m"}, {"name": "m", "base_path": "/n"}),
        INVALID,
        "Illegal to list model m multiple times in config list",
    ),
    (
        "relative path",
        reload({"name": "m", "base_path": "models/m"}),
        INVALID,
        "Expected model m to have an absolute path or URI; got base_path()=models/m",
    ),
    (
        "other platform",
        reload({"name": HALF, "base_path": "/m", "model_platform": "other"}),
        INVALID,
        "Illegal to change a model's platform. For model half platform was tensorflow and new platform requested is "
        "other",
    ),
    (
        "label moved to a version that is not loaded",
        reload({"name": HALF, "base_path": "/m", "version_labels": {"stable": 9}}),
        PRECONDITION,
        f"Request to assign label to version 9 of model {HALF}, which is not currently available for inference",
    ),
]


def rows() -> list[Any]:
    sections = {
        "lookup": list(lookups()),
        "Predict": PREDICT,
        "examples": EXAMPLES,
        "MultiInference": MULTI_INFERENCE,
        "GetModelMetadata": METADATA,
        "GetModelStatus": STATUS,
        "HandleReloadConfigRequest": RELOAD,
    }
    return [
        pytest.param(request, code, message, id=f"{section}: {case}")
        for section, found in sections.items()
        for case, request, code, message in found
    ]


@pytest.mark.parametrize(("request_", "code", "message"), rows())
def test_invalid_requests_get_the_contracts_status_and_message(
    call: Callable[[Message], Any], request_: Message, code: grpc.StatusCode, message: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(request_)
    details = caught.value.details()
    if message.endswith("…"):
        details = details[: len(message) - 1] + "…"
    assert (code, message) == (caught.value.code(), details)


@pytest.mark.parametrize(
    ("asked", "version", "y"),
    [
        (spec(), 2, 6.0),
        (spec(version=0), 0, 4.0),
        (spec(version=1), 1, 5.0),
        (spec(label="stable"), 1, 5.0),
        (spec(HURT), 1, 4.0),
    ],
    ids=["latest", "version 0", "version 1", "label", "latest that loads"],
)
def test_a_request_gets_the_version_it_asks_for(
    call: Callable[[Message], Any], asked: model_pb2.ModelSpec, version: int, y: float
) -> None:
    response = call(predict(asked, x=floats(4.0)))
    assert response.outputs["y"].float_val == [y]
    assert response.model_spec == spec(asked.name, version, signature="serving_default")


def test_a_response_echoes_the_signature(call: Callable[[Message], Any]) -> None:
    assert call(classify(spec(signature="classify"))).model_spec == spec(version=2, signature="classify")
    assert call(regress(spec(signature="regress"))).model_spec == spec(version=2, signature="regress")
    assert call(metadata(spec(label="stable"))).model_spec == spec(version=1)


def test_responses_have_typed_fields(call: Callable[[Message], Any]) -> None:
    response = call(predict(spec(signature="explain"), text=texts(b"a b", b"c")))
    assert {"attention", "probabilities", "tokens"} == set(response.outputs)
    for proto in response.outputs.values():
        assert not proto.tensor_content
    assert len(response.outputs["attention"].float_val) == 16
    assert response.outputs["tokens"].string_val[:3] == [b"[START]", b"a", b"b"]
    assert [dim.size for dim in response.outputs["tokens"].tensor_shape.dim] == [2, 8]


def test_tensor_content_is_understood(call: Callable[[Message], Any]) -> None:
    packed = tf.make_tensor_proto([1.0, 2.0, 4.0], tf.float32)
    assert packed.tensor_content
    assert call(predict(spec(version=0), x=packed)).outputs["y"].float_val == [2.5, 3.0, 4.0]


def test_a_shape_that_the_signature_does_not_have_is_left_to_the_kernels(call: Callable[[Message], Any]) -> None:
    response = call(predict(spec(version=0), x=floats(1.0, 2.0, shape=[1, 2])))
    assert response.outputs["y"].float_val == [2.5, 3.0]
    assert [dim.size for dim in response.outputs["y"].tensor_shape.dim] == [1, 2]
    assert call(predict(spec(version=0), x=floats(2.0, shape=[]))).outputs["y"].float_val == [3.0]


def test_a_filter_picks_outputs(call: Callable[[Message], Any]) -> None:
    response = call(predict(spec(signature="explain"), ["tokens"], text=texts(b"a")))
    assert list(response.outputs) == ["tokens"]


def test_a_missing_input_gets_the_signatures_default(call: Callable[[Message], Any]) -> None:
    with_default = spec(SUM, signature="with_default")
    assert call(predict(with_default, a=floats(1.0))).outputs["sum"].float_val == [11.0]
    assert call(predict(with_default, a=floats(1.0), b=floats(2.0))).outputs["sum"].float_val == [3.0]


def test_classify_and_regress_answer_examples(call: Callable[[Message], Any]) -> None:
    classified = call(classify(spec(version=0, signature="classify"), examples(16.0, 100.0))).result.classifications
    assert [[one.label for one in row.classes] for row in classified] == [["negative", "positive"]] * 2
    assert classified[0].classes[1].score == pytest.approx(0.5)
    assert classified[1].classes[1].score == pytest.approx(1.0)
    regressed = call(regress(spec(version=0, signature="regress"), examples(4.0, 6.0))).result.regressions
    assert [one.value for one in regressed] == [4.0, 5.0]


def test_a_context_is_part_of_each_example(call: Callable[[Message], Any]) -> None:
    given = input_pb2.Input()
    given.example_list_with_context.context.features.feature["x"].float_list.value.append(8.0)
    given.example_list_with_context.examples.add()
    given.example_list_with_context.examples.add()
    regressed = call(regress(spec(version=0, signature="regress"), given)).result.regressions
    assert [one.value for one in regressed] == [6.0, 6.0]


def test_multi_inference_answers_each_task(call: Callable[[Message], Any]) -> None:
    results = call(multi((spec(SHARED, signature="classify"), CLASSIFY), (spec(SHARED, signature="regress"), REGRESS)))
    classified, regressed = results.results
    assert [one.value for one in regressed.regression_result.regressions] == [3.0]
    assert [one.label for one in classified.classification_result.classifications[0].classes] == [
        "negative",
        "positive",
    ]
    assert (spec(SHARED, 1, signature="classify"), spec(SHARED, 1, signature="regress")) == (
        classified.model_spec,
        regressed.model_spec,
    )


def test_only_the_first_tasks_version_counts(call: Callable[[Message], Any]) -> None:
    request = multi((spec(SHARED, 1, signature="classify"), CLASSIFY), (spec(SHARED, 7, signature="regress"), REGRESS))
    assert [result.model_spec.version.value for result in call(request).results] == [1, 1]


def test_metadata_has_all_signatures(call: Callable[[Message], Any]) -> None:
    response = call(metadata(spec()))
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "regress", "classify", "serve_text", "explain", "__saved_model_init_op"} == set(
        signatures.signature_def
    )
    assert signatures.signature_def["serving_default"].inputs["x"].dtype == types_pb2.DT_FLOAT


def states(call: Callable[[Message], Any], model: model_pb2.ModelSpec) -> dict[int, int]:
    return {one.version: one.state for one in call(status(model)).model_version_status}


def test_status_reports_all_versions_or_one(call: Callable[[Message], Any]) -> None:
    assert states(call, spec()) == {0: 30, 1: 30, 2: 30}
    assert states(call, spec(version=0)) == {0: 30}
    assert states(call, spec(label="stable")) == {0: 30, 1: 30, 2: 30}


def test_a_broken_version_shows_its_error(call: Callable[[Message], Any]) -> None:
    broken, serving = call(status(spec(HURT))).model_version_status
    assert (broken.version, broken.state, serving.version, serving.state) == (2, 50, 1, 30)
    assert broken.status.error_code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert "Could not find variable" in broken.status.error_message
    assert serving.status.error_code == 0


def test_long_messages_are_cut(call: Callable[[Message], Any]) -> None:
    for label in ("l" * 5000, "\U0001f3ac" * 5000):  # on the wire, a character of the second takes up to 12 bytes
        with pytest.raises(grpc.RpcError) as caught:
            call(predict(spec(label=label), x=floats(1.0)))
        assert caught.value.code() is INVALID
        assert caught.value.details().endswith("...TRUNCATED")


def test_a_failing_reload_changes_nothing(call: Callable[[Message], Any]) -> None:
    before = states(call, spec())
    with pytest.raises(grpc.RpcError):
        call(reload({"name": HALF, "base_path": "relative"}))
    assert states(call, spec()) == before
    assert call(predict(spec(label="stable"), x=floats(4.0))).model_spec.version.value == 1

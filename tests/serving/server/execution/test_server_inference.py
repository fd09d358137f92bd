"""The calls of PredictionService against TensorFlow Serving's contract, without a socket."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import grpc
import numpy as np
import pytest
import tensorflow as tf
from contract_models import examples, floats, texts
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)
from tiny_models import example, write_slow

from serving.server.errors import ServingError
from serving.server.execution import calls
from serving.server.execution.batching import Batcher
from serving.server.execution.delivery import Delivery
from serving.server.execution.servable import Servable

T = TypeVar("T")
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


class One:
    """Looks up the only model."""

    def __init__(self, servable: Servable) -> None:
        self.servable = servable
        self.in_use = 0

    @contextmanager
    def lookup(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        if spec.name != self.servable.name:
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        self.in_use += 1
        try:
            yield self.servable
        finally:
            self.in_use -= 1


class Server:
    """Makes calls as a handler does."""

    def __init__(self, servable: Servable, batcher: Batcher) -> None:
        self.models, self.delivery = One(servable), Delivery(batcher)

    def predict(self, deadline: float | None = None, **request: object) -> predict_pb2.PredictResponse:
        message = predict_pb2.PredictRequest(**request)
        return done(calls.predict(message, self.models.lookup, self.delivery.run, deadline))

    def classify(self, **request: object) -> classification_pb2.ClassificationResponse:
        message = classification_pb2.ClassificationRequest(**request)
        return done(calls.classify(message, self.models.lookup, self.delivery.run, None))

    def regress(self, **request: object) -> regression_pb2.RegressionResponse:
        message = regression_pb2.RegressionRequest(**request)
        return done(calls.regress(message, self.models.lookup, self.delivery.run, None))

    def multi_inference(self, *tasks: inference_pb2.InferenceTask, **request: object) -> list:
        message = inference_pb2.MultiInferenceRequest(tasks=tasks, **request)
        return list(done(calls.multi_inference(message, self.models.lookup, self.delivery.run, None)).results)

    def metadata(self, **request: object) -> get_model_metadata_pb2.GetModelMetadataResponse:
        return calls.get_model_metadata(get_model_metadata_pb2.GetModelMetadataRequest(**request), self.models.lookup)


def done(call: Coroutine[None, None, T]) -> T:
    return asyncio.run(call)


def spec(signature: str = "", name: str = "m") -> model_pb2.ModelSpec:
    return model_pb2.ModelSpec(name=name, signature_name=signature)


def task(method: str, signature: str, name: str = "m") -> inference_pb2.InferenceTask:
    return inference_pb2.InferenceTask(model_spec=spec(signature, name), method_name=method)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.fixture(scope="module")
def batcher() -> Iterator[Batcher]:
    running = Batcher()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(half_plus_two: Path, batcher: Batcher) -> Iterator[Server]:
    servable = Servable.load("m", 123, str(half_plus_two))
    one = Server(servable, batcher)
    yield one
    assert one.models.in_use == 0
    servable.close()


@pytest.fixture(scope="module")
def shared(shared_input: Path, batcher: Batcher) -> Iterator[Server]:
    servable = Servable.load("m", 5, str(shared_input))
    yield Server(servable, batcher)
    servable.close()


@contextmanager
def refused(code: str, message: str) -> Iterator[None]:
    with pytest.raises(ServingError) as failure:
        yield
    assert (failure.value.code.name, failure.value.message) == (code, message)


def test_predict_answers_with_typed_fields_and_the_resolved_spec(server: Server) -> None:
    response = server.predict(model_spec=spec(), inputs={"x": floats(1, 2, 5)})
    assert response == predict_pb2.PredictResponse(
        model_spec={"name": "m", "version": {"value": 123}, "signature_name": "serving_default"},
        outputs={"y": floats(2.5, 3, 4.5)},
    )


def test_predict_takes_tensor_content(server: Server) -> None:
    tensor = tf.make_tensor_proto(np.float32([1, 2, 5]))
    assert tensor.tensor_content
    assert list(server.predict(model_spec=spec(), inputs={"x": tensor}).outputs["y"].float_val) == [2.5, 3, 4.5]


def test_predict_on_texts(server: Server) -> None:
    response = server.predict(model_spec=spec("serve_text"), inputs={"text": texts(b"short", b"x" * 30)})
    assert response.model_spec.signature_name == "serve_text"
    assert list(response.outputs["label"].string_val) == [b"negative", b"positive"]
    expected = [1 - sigmoid(5 / 2 - 8), sigmoid(5 / 2 - 8), 1 - sigmoid(30 / 2 - 8), sigmoid(30 / 2 - 8)]
    assert list(response.outputs["probabilities"].float_val) == pytest.approx(expected, abs=1e-6)
    assert [dim.size for dim in response.outputs["probabilities"].tensor_shape.dim] == [2, 2]


@pytest.mark.parametrize("filtered", [["tokens"], ["attention", "tokens"], ["probabilities", "tokens", "attention"]])
def test_predict_gives_the_filtered_outputs(server: Server, filtered: list[str]) -> None:
    response = server.predict(model_spec=spec("explain"), inputs={"text": texts(b"a b")}, output_filter=filtered)
    assert set(response.outputs) == set(filtered)
    assert list(response.outputs["tokens"].string_val) == [b"[START]", b"a", b"b", *[b""] * 5]


def test_other_shapes_than_the_signatures_are_accepted(server: Server) -> None:
    scalar = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[4])
    response = server.predict(model_spec=spec(), inputs={"x": scalar})
    assert response.outputs["y"] == scalar


def test_a_huge_deadline_is_no_limit_and_a_past_one_is_exceeded(server: Server) -> None:
    inputs = {"x": floats(4)}
    assert server.predict(model_spec=spec(), inputs=inputs, deadline=time.monotonic() + 1e7).outputs
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        server.predict(model_spec=spec(), inputs=inputs, deadline=time.monotonic() - 1)


@pytest.mark.parametrize("call", ["predict", "classify", "regress", "metadata"])
def test_a_missing_model_spec_is_refused(server: Server, call: str) -> None:
    with refused("INVALID_ARGUMENT", "Missing ModelSpec"):
        getattr(server, call)()


@pytest.mark.parametrize("call", ["predict", "classify", "regress"])
def test_errors_of_the_lookup_are_passed_on(server: Server, call: str) -> None:
    with refused("NOT_FOUND", "Servable not found for request: Latest(other)"):
        getattr(server, call)(model_spec=spec(name="other"))


@pytest.mark.parametrize("signature", ["nope", "SERVING_DEFAULT"])
def test_predict_unknown_signature(server: Server, signature: str) -> None:
    with refused("FAILED_PRECONDITION", f'Serving signature key "{signature}" not found.'):
        server.predict(model_spec=spec(signature), inputs={"x": floats(1)})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {},
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            {"x": floats(1), "b": floats(1), "a": floats(1)},
            "input size does not match signature: 3!=1 len({a,b,x}) != len({x}). Sent extra: {a,b}. "
            "Missing but required: {}.",
        ),
        (
            {"y": floats(1)},
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value "
            "provided. Inputs expected to be in the request {y}, or default input alias set: ",
        ),
        (
            {"x": tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"abc")},
            "tensor parsing error: x",
        ),
        ({"x": tensor_pb2.TensorProto()}, "tensor parsing error: x"),
        ({"x": texts(b"1")}, "Expects arg[0] to be float but string is provided"),
    ],
)
def test_predict_wrong_inputs(server: Server, inputs: dict, message: str) -> None:
    with refused("INVALID_ARGUMENT", message):
        server.predict(model_spec=spec(), inputs=inputs)


@pytest.mark.parametrize(
    ("filtered", "message"),
    [
        (
            ["z"],
            "output tensor alias not found in signature: z Outputs expected to be in the set {label,probabilities}.",
        ),
        (["label", "label"], "duplicate output tensor alias: label"),
        (
            ["label", ""],
            "output tensor alias not found in signature:  Outputs expected to be in the set {label,probabilities}.",
        ),
    ],
)
def test_predict_wrong_filter(server: Server, filtered: list[str], message: str) -> None:
    with refused("INVALID_ARGUMENT", message):
        server.predict(model_spec=spec("serve_text"), inputs={"text": texts(b"a")}, output_filter=filtered)


def test_predict_op_failure(server: Server) -> None:
    with pytest.raises(ServingError) as failure:
        server.predict(model_spec=spec("regress"), inputs={"inputs": texts(b"no example")})
    assert failure.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert failure.value.message.startswith("Could not parse example input, value: 'no example'")


def test_cancelling_a_handler_cancels_its_call(batcher: Batcher, tmp_path: Path) -> None:
    write_slow(tmp_path, 300)
    servable = Servable.load("m", 1, str(tmp_path))
    models = One(servable)
    request = predict_pb2.PredictRequest(model_spec=spec(), inputs={"x": floats(1)})

    async def impatient() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(calls.predict(request, models.lookup, Delivery(batcher).run, None), 0.02)

    asyncio.run(impatient())
    servable.close()  # waits for the run in progress


def test_classify(server: Server) -> None:
    response = server.classify(model_spec=spec("classify"), input=examples(8, 40))
    assert response.model_spec == model_pb2.ModelSpec(name="m", version={"value": 123}, signature_name="classify")
    labels = [[one.label for one in row.classes] for row in response.result.classifications]
    scores = [one.score for row in response.result.classifications for one in row.classes]
    assert labels == [["negative", "positive"]] * 2
    assert scores == pytest.approx([1 - sigmoid(-4), sigmoid(-4), 1 - sigmoid(12), sigmoid(12)], abs=1e-6)


def test_regress(server: Server) -> None:
    response = server.regress(model_spec=spec("regress"), input=examples(8, 41))
    assert response.model_spec == model_pb2.ModelSpec(name="m", version={"value": 123}, signature_name="regress")
    assert [one.value for one in response.result.regressions] == [6, 22.5]


def test_a_context_is_part_of_every_example(server: Server) -> None:
    given = input_pb2.ExampleListWithContext(
        examples=[example(x=2.0), example(other=b"a"), example()], context=example(x=8.0)
    )
    response = server.regress(model_spec=spec("regress"), input=input_pb2.Input(example_list_with_context=given))
    assert [one.value for one in response.result.regressions] == [3, 6, 6]


@pytest.mark.parametrize("call", ["classify", "regress"])
@pytest.mark.parametrize(
    "given",
    [
        input_pb2.Input(),
        input_pb2.Input(example_list=input_pb2.ExampleList()),
        input_pb2.Input(example_list_with_context=input_pb2.ExampleListWithContext(context=example(x=1.0))),
    ],
)
def test_an_empty_input(server: Server, call: str, given: input_pb2.Input) -> None:
    with refused("INVALID_ARGUMENT", "Input is empty."):
        getattr(server, call)(model_spec=spec(call), input=given)


@pytest.mark.parametrize("call", ["classify", "regress"])
def test_classify_and_regress_unknown_signature(server: Server, call: str) -> None:
    with refused("INVALID_ARGUMENT", "No signature was found with the name: nope"):
        getattr(server, call)(model_spec=spec("nope"))


@pytest.mark.parametrize("call", ["classify", "regress"])
def test_classify_and_regress_default_signature_with_other_keys(server: Server, call: str) -> None:
    with pytest.raises(ServingError, match=r"^FAILED_PRECONDITION: No \w+ inputs found in SignatureDef: inputs"):
        getattr(server, call)(model_spec=spec(), input=examples(1))


def test_an_example_without_the_feature(server: Server) -> None:
    given = input_pb2.Input(example_list=input_pb2.ExampleList(examples=[example(x=1.0), example(z=1.0)]))
    with pytest.raises(ServingError, match=r"^INVALID_ARGUMENT: Name: <unknown>, .*Feature: x .* is required"):
        server.regress(model_spec=spec("regress"), input=given)


def test_multi_inference(shared: Server) -> None:
    tasks = [task(REGRESS, "regress"), task(CLASSIFY, "classify"), task(REGRESS, "negated")]
    regressed, classified, negated = shared.multi_inference(*tasks, input=examples(8, 0))
    assert [result.model_spec for result in (regressed, classified, negated)] == [
        model_pb2.ModelSpec(name="m", version={"value": 5}, signature_name=name)
        for name in ("regress", "classify", "negated")
    ]
    assert [one.value for one in regressed.regression_result.regressions] == [6, 2]
    assert [one.value for one in negated.regression_result.regressions] == [-6, -2]
    scores = [row.classes[1].score for row in classified.classification_result.classifications]
    assert scores == pytest.approx([sigmoid(6), sigmoid(2)], abs=1e-6)


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        (
            [task(REGRESS, "regress"), task(REGRESS, "negated", "other")],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [task(REGRESS, "regress"), task(REGRESS, "negated", "")],
            "INVALID_ARGUMENT",
            "Found ModelSpec with an empty model name.",
        ),
        (
            [task(REGRESS, "regress"), task(CLASSIFY, "regress")],
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress",
        ),
        ([task(REGRESS, "nope")], "INVALID_ARGUMENT", "Requested signature not found in model graph: nope"),
        ([task(REGRESS, "")], "INVALID_ARGUMENT", "Requested signature not found in model graph: serving_default"),
        (
            [task("tensorflow/serving/predict", "regress")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([task("", "regress")], "UNIMPLEMENTED", "Unsupported signature method_name: "),
        ([task(CLASSIFY, "negated")], "FAILED_PRECONDITION", None),
        ([task(REGRESS, "classify")], "INVALID_ARGUMENT", "Expected one output Tensor."),
    ],
)
def test_multi_inference_wrong_tasks(shared: Server, tasks: list, code: str, message: str | None) -> None:
    with pytest.raises(ServingError) as failure:
        shared.multi_inference(*tasks, input=examples(1))
    assert failure.value.code.name == code
    if message is not None:
        assert failure.value.message == message


def test_multi_inference_without_examples(shared: Server) -> None:
    with refused("INVALID_ARGUMENT", "Input is empty."):
        shared.multi_inference(task(REGRESS, "regress"))


def test_multi_inference_without_tasks_names_no_model(shared: Server) -> None:
    with refused("NOT_FOUND", "Servable not found for request: Latest()"):
        shared.multi_inference(input=examples(1))


def test_multi_inference_on_inputs_of_their_own(server: Server) -> None:
    # All exports of TensorFlow 2 are like this.
    first, second = server.multi_inference(task(REGRESS, "regress"), task(CLASSIFY, "classify"), input=examples(4))
    assert first.regression_result.regressions[0].value == 4
    assert [one.label for one in second.classification_result.classifications[0].classes] == ["negative", "positive"]


def test_metadata_has_all_signatures(server: Server) -> None:
    response = server.metadata(model_spec=spec("ignored"), metadata_field=["signature_def"])
    assert response.model_spec == model_pb2.ModelSpec(name="m", version={"value": 123})
    assert list(response.metadata) == ["signature_def"]
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    assert dict(found.signature_def) == dict(server.models.servable.signatures)
    assert "__saved_model_init_op" in found.signature_def


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["signature_def", "size"], "Metadata field size is not supported"),
    ],
)
def test_metadata_wrong_fields(server: Server, fields: list[str], message: str) -> None:
    with refused("INVALID_ARGUMENT", message):
        server.metadata(model_spec=spec(), metadata_field=fields)

"""Inputs with defaults, and signatures that are not for tf.Examples."""

from __future__ import annotations

import pytest
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving.server.errors import ServingError
from serving.server.execution.signatures import classification, predict_inputs, regression


class Signatures:
    """The attributes of a servable that the checks use."""

    def __init__(self, **signatures: meta_graph_pb2.SignatureDef) -> None:
        self.signatures = signatures
        self.checks_methods = False


def scalar(value: float) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[value])


def signature(inputs: str, outputs: str = "y", **defaults: float) -> meta_graph_pb2.SignatureDef:
    return meta_graph_pb2.SignatureDef(
        inputs={alias: meta_graph_pb2.TensorInfo(name=f"{alias}:0") for alias in inputs.split()},
        outputs={alias: meta_graph_pb2.TensorInfo(name=f"{alias}:0") for alias in outputs.split()},
        defaults={alias: scalar(value) for alias, value in defaults.items()},
    )


def read(definition: meta_graph_pb2.SignatureDef, **inputs: float) -> dict[str, float]:
    request = predict_pb2.PredictRequest(inputs={alias: scalar(value) for alias, value in inputs.items()})
    return {alias: array.item() for alias, array in predict_inputs(request, definition).items()}


def test_missing_inputs_get_their_defaults() -> None:
    definition = signature("a b c", b=20, c=30)
    assert read(definition, a=1) == {"a": 1, "b": 20, "c": 30}
    assert read(definition, a=1, c=3) == {"a": 1, "b": 20, "c": 3}
    assert read(definition, a=1, b=2, c=3) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"b": 2, "c": 3},
            "Signature input alias: a(feed name: a:0) not found in request and no default value provided. Inputs "
            "expected to be in the request {b,c}, or default input alias set: b,c",
        ),
        (
            {"a": 1, "z": 3, "b": 2},
            "Inputs contains invalid name. Used request inputs: a,b, request input: a,b,z",
        ),
        (
            {"a": 1, "b": 2, "c": 3, "z": 4},
            "input size does not match signature: 4!=3 len({a,b,c,z}) != len({a,b,c}). Sent extra: {z}. "
            "Missing but required: {}.",
        ),
    ],
)
def test_inputs_are_checked_despite_defaults(inputs: dict[str, float], message: str) -> None:
    with pytest.raises(ServingError) as failure:
        read(signature("a b c", b=20, c=30), **inputs)
    assert (failure.value.code.name, failure.value.message) == ("INVALID_ARGUMENT", message)


@pytest.mark.parametrize(("outputs", "found"), [("scores", ["scores"]), ("classes", ["classes"])])
def test_a_classification_may_have_only_one_output(outputs: str, found: list[str]) -> None:
    servable = Signatures(serving_default=signature("inputs", outputs))
    assert classification(servable, model_pb2.ModelSpec()) == ("serving_default", found)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (signature("inputs more", "scores"), "INVALID_ARGUMENT: Expected one input Tensor."),
        (signature("inputs", "scores classes y"), "INVALID_ARGUMENT: Expected one or two output Tensors, found 3"),
        (signature("inputs", ""), "INVALID_ARGUMENT: Expected one or two output Tensors, found 0"),
        (
            signature("examples", "scores"),
            "FAILED_PRECONDITION: No classification inputs found in SignatureDef: inputs",
        ),
        (
            signature("inputs", "probabilities"),
            "FAILED_PRECONDITION: Expected classification signature outputs to contain at least one of "
            '"classes" or "scores". Signature was: inputs',
        ),
    ],
)
def test_other_outputs_are_not_a_classification(definition: meta_graph_pb2.SignatureDef, message: str) -> None:
    with pytest.raises(ServingError) as failure:
        classification(Signatures(s=definition), model_pb2.ModelSpec(signature_name="s"))
    assert str(failure.value).startswith(message)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (signature("inputs more", "outputs"), "INVALID_ARGUMENT: Expected one input Tensor."),
        (signature("inputs", "outputs more"), "INVALID_ARGUMENT: Expected one output Tensor."),
        (signature("examples", "outputs"), "FAILED_PRECONDITION: No regression inputs found in SignatureDef: inputs"),
        (signature("inputs", "y"), "FAILED_PRECONDITION: No regression outputs found in SignatureDef: inputs"),
    ],
)
def test_other_outputs_are_not_a_regression(definition: meta_graph_pb2.SignatureDef, message: str) -> None:
    with pytest.raises(ServingError) as failure:
        regression(Signatures(s=definition), model_pb2.ModelSpec(signature_name="s"))
    assert str(failure.value).startswith(message)


def test_the_method_counts_only_where_it_is_checked() -> None:
    servable = Signatures(classify=signature("inputs", "scores"), regress=signature("inputs", "outputs"))
    specs = {name: model_pb2.ModelSpec(name="m", signature_name=name) for name in ("classify", "regress")}
    assert classification(servable, specs["classify"]) == ("classify", ["scores"])
    servable.checks_methods = True
    with pytest.raises(
        ServingError,
        match=r"Expected classification signature method_name to be tensorflow/serving/classify\. Was: $",
    ):
        classification(servable, specs["classify"])
    servable.signatures["regress"].method_name = "tensorflow/serving/predict"
    with pytest.raises(ServingError, match=r"Expected regression .* to be tensorflow/serving/regress\. Was: tensor"):
        regression(servable, specs["regress"])
    servable.signatures["regress"].method_name = "tensorflow/serving/regress"
    assert regression(servable, specs["regress"]) == "regress"

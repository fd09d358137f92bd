"""Checks of a request against the signature that it names, with TensorFlow Serving's error messages."""

from collections.abc import Iterable
from typing import Final

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import inference_pb2, model_pb2, predict_pb2

from serving.server.errors import ServingError, failed_precondition, invalid_argument
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays, to_array

DEFAULT_SIGNATURE: Final[str] = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
CLASSIFY_METHOD: Final[str] = tf.saved_model.CLASSIFY_METHOD_NAME
REGRESS_METHOD: Final[str] = tf.saved_model.REGRESS_METHOD_NAME

# The input and the outputs of signatures for tf.Examples.
INPUTS: Final[str] = tf.saved_model.CLASSIFY_INPUTS
CLASSES: Final[str] = tf.saved_model.CLASSIFY_OUTPUT_CLASSES
SCORES: Final[str] = tf.saved_model.CLASSIFY_OUTPUT_SCORES
REGRESSIONS: Final[str] = tf.saved_model.REGRESS_OUTPUTS


def signature_key(spec: model_pb2.ModelSpec) -> str:
    """Returns the key of the signature that a spec names."""
    return spec.signature_name or DEFAULT_SIGNATURE


def predict_signature(servable: Servable, spec: model_pb2.ModelSpec) -> meta_graph_pb2.SignatureDef:
    """Finds the signature for Predict; raises FAILED_PRECONDITION if there is none."""
    key = signature_key(spec)
    if key not in servable.signatures:
        raise failed_precondition(f'Serving signature key "{key}" not found.')
    return servable.signatures[key]


def predict_inputs(request: predict_pb2.PredictRequest, signature: meta_graph_pb2.SignatureDef) -> Arrays:
    """Reads the request's tensors, and uses the signature's defaults for missing ones.

    Raises:
        ServingError: INVALID_ARGUMENT for missing, unknown and malformed tensors.
    """
    given, wanted = request.inputs, signature.inputs
    if len(given) > len(wanted) or (len(given) < len(wanted) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(given)}!={len(wanted)} len({{{_joined(given)}}}) != "
            f"len({{{_joined(wanted)}}}). Sent extra: {{{_joined(given.keys() - wanted.keys())}}}. "
            f"Missing but required: {{{_joined(wanted.keys() - given.keys())}}}."
        )
    arrays = {}
    used = 0
    for alias in sorted(wanted):
        if alias in given:
            arrays[alias] = to_array(given[alias], alias)
            used += 1
        elif alias in signature.defaults:
            arrays[alias] = to_array(signature.defaults[alias], alias)
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {wanted[alias].name}) not found in request and no default "
                f"value provided. Inputs expected to be in the request {{{_joined(given)}}}, or default input alias "
                f"set: {_joined(signature.defaults)}"
            )
    if used != len(given):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_joined(wanted.keys() & given.keys())}, request "
            f"input: {_joined(given)}"
        )
    return arrays


def predict_outputs(output_filter: Iterable[str], signature: meta_graph_pb2.SignatureDef) -> list[str] | None:
    """Returns the names of the outputs to compute, None for all; refuses unknown and repeated ones."""
    wanted: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{_joined(signature.outputs)}}}."
            )
        if alias in wanted:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        wanted.append(alias)
    return wanted or None


def classification(servable: Servable, spec: model_pb2.ModelSpec) -> tuple[str, list[str]]:
    """Finds a signature for Classify: its key, and the names of those of its outputs that are `classes` or `scores`.

    Raises:
        ServingError: INVALID_ARGUMENT for an unknown signature and for one with too many inputs or outputs;
            FAILED_PRECONDITION for other names of inputs or outputs.
    """
    key, signature = _signature_of(servable, spec, "classification", CLASSIFY_METHOD)
    if len(signature.outputs) not in {1, 2}:
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise failed_precondition(f"No classification inputs found in SignatureDef: {signature}")
    outputs = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not outputs:
        raise failed_precondition(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
            f"Signature was: {signature}"
        )
    return key, outputs


def regression(servable: Servable, spec: model_pb2.ModelSpec) -> str:
    """Returns the key of a signature for Regress; raises ServingError as `classification` does."""
    key, signature = _signature_of(servable, spec, "regression", REGRESS_METHOD)
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise failed_precondition(f"No regression inputs found in SignatureDef: {signature}")
    if REGRESSIONS not in signature.outputs:
        raise failed_precondition(f"No regression outputs found in SignatureDef: {signature}")
    return key


def check_tasks(servable: Servable, tasks: Iterable[inference_pb2.InferenceTask]) -> None:
    """Checks that the tasks of a MultiInferenceRequest can be answered together.

    Raises:
        ServingError: INVALID_ARGUMENT for different models, and for unknown and repeated signatures; UNIMPLEMENTED for
            another method; otherwise as for `classification`.
    """
    names, keys = set[str](), set[str]()
    for task in tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        names.add(task.model_spec.name)
        if len(names) > 1:
            raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        key = signature_key(task.model_spec)
        if key in keys:
            raise invalid_argument(f"Duplicate evaluation of signature: {key}")
        keys.add(key)
        if key not in servable.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {key}")
        if task.method_name == CLASSIFY_METHOD:
            classification(servable, task.model_spec)
        elif task.method_name == REGRESS_METHOD:
            regression(servable, task.model_spec)
        else:
            raise ServingError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")


def _signature_of(
    servable: Servable, spec: model_pb2.ModelSpec, kind: str, method: str
) -> tuple[str, meta_graph_pb2.SignatureDef]:
    """Finds a signature for tf.Examples, which must have one input and, if the servable checks it, the method."""
    key = signature_key(spec)
    if key not in servable.signatures:
        raise invalid_argument(f"No signature was found with the name: {key}")
    signature = servable.signatures[key]
    if servable.checks_methods and signature.method_name != method:
        raise invalid_argument(f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}")
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    return key, signature


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(names))

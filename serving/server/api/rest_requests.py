"""Converts request bodies of TensorFlow Serving's REST API to the content of gRPC requests."""

import math
from collections.abc import Mapping
from typing import Any, Final

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import input_pb2

from serving.server.api.json_document import format_error, members_of, parse_object, shown
from serving.server.api.json_tensor import base64_bytes, check_lossless, flat, is_base64, tensor, type_name
from serving.server.errors import ServingError, invalid_argument
from serving.server.execution.tensors import shown_shape

Inputs = Mapping[str, meta_graph_pb2.TensorInfo]
Tensors = dict[str, tensor_pb2.TensorProto]

SIGNATURE_NAME: Final = "signature_name"
_INSTANCES: Final = "instances"
_INPUTS: Final = "inputs"
_CONTEXT: Final = "context"
_EXAMPLES: Final = "examples"
_INT64: Final = range(-(2**63), 2**63)


def parse(body: bytes) -> dict[str, Any]:
    """Parses the body of a request; see `parse_object`.

    Raises:
        ServingError: INVALID_ARGUMENT if the body is not a JSON object, or its signature name is not a string.
    """
    document = parse_object(body)
    if not isinstance(document.get(SIGNATURE_NAME, ""), str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return document


def predict_inputs(document: Mapping[str, Any], signature: str, inputs: Inputs) -> tuple[Tensors, bool]:
    """Reads the tensors of a predict request.

    Args:
        document: The body, with `instances` (a list of rows) or `inputs` (a tensor per input).
        signature: Key of the signature, for error messages.
        inputs: Inputs of the signature.

    Returns:
        Input → tensor, and whether the request has rows; the response then has rows too.

    Raises:
        ServingError: INVALID_ARGUMENT if the document does not match the signature.
    """
    if not inputs:
        raise invalid_argument(f"Failed to get input map for signature: {signature}")
    if _INSTANCES in document and _INPUTS in document:
        raise format_error(
            document, f"Not formatted correctly expecting only one of '{_INPUTS}' or '{_INSTANCES}' keys to exist "
        )
    if _INPUTS in document:
        return _columns(document[_INPUTS], inputs), False
    if _INSTANCES not in document:
        raise invalid_argument(f"Missing '{_INPUTS}' or '{_INSTANCES}' key")
    instances = document[_INSTANCES]
    if not isinstance(instances, list):
        raise format_error(document, f"Excepting '{_INSTANCES}' to be an list/array")
    if not instances:
        raise format_error(document, f"No values in '{_INSTANCES}' array")
    return _rows(instances, inputs), True


def examples(document: Mapping[str, Any]) -> input_pb2.Input:
    """Reads the tf.Examples of a classify or regress request, and their shared `context`, if it has one.

    Raises:
        ServingError: INVALID_ARGUMENT if the document does not contain valid examples.
    """
    found = input_pb2.Input()
    into = found.example_list.examples
    if _CONTEXT in document:
        into = found.example_list_with_context.examples
        found.example_list_with_context.context.CopyFrom(_example(document[_CONTEXT]))
    if _EXAMPLES not in document:
        raise format_error(document, f"When method is classify, key '{_EXAMPLES}' is expected and was not found")
    if not isinstance(document[_EXAMPLES], list):
        raise format_error(document, f"Expecting '{_EXAMPLES}' value to be an list/array")
    if not document[_EXAMPLES]:
        raise format_error(document, f"'{_EXAMPLES}' value is an empty array")
    into.extend([_example(value) for value in document[_EXAMPLES]])
    return found


def _columns(value: Any, inputs: Inputs) -> Tensors:
    if _is_object(value):
        if missing := inputs.keys() - value.keys():
            raise invalid_argument(f"Missing named input: {min(missing)} in 'inputs' object.")
        return {name: tensor(info.dtype, *flat(value[name], info.dtype)) for name, info in inputs.items()}
    if len(inputs) > 1:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map"
        )
    ((name, info),) = inputs.items()
    return {name: tensor(info.dtype, *flat(value, info.dtype))}


def _rows(instances: list[Any], inputs: Inputs) -> Tensors:
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = _is_object(instances[0])
    shapes: dict[str, list[int]] = {}
    elements: dict[str, list[Any]] = {name: [] for name in inputs}
    for number, instance in enumerate(instances):
        if named != _is_object(instance):
            kinds = ("object but got list", "value/list but got object")
            raise invalid_argument(f"Expecting {kinds[not named]} at item {number} of input list")
        row = instance if named else dict.fromkeys(inputs, instance)
        for name, value in members_of(row):
            where = f"element: {number} key: {name}" if named else f"element: {number}"
            try:
                _add(name, value, inputs, shapes, elements)
            except ServingError as error:
                raise invalid_argument(f"Failed to process {where} of 'instances' list. Error: {error}") from None
        if row.keys() != inputs.keys():
            raise invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: {shown(instance)} keys must "
                f"be equal to: {','.join(sorted(inputs))}"
            )
    return {name: tensor(info.dtype, [len(instances), *shapes[name]], elements[name]) for name, info in inputs.items()}


def _add(name: str, value: Any, inputs: Inputs, shapes: dict[str, list[int]], elements: dict[str, list[Any]]) -> None:
    if name not in inputs:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    shape, added = flat(value, inputs[name].dtype)
    expected = shapes.setdefault(name, shape)
    if math.prod(expected) != len(added):
        raise invalid_argument(f"Expecting tensor size: {math.prod(expected)} but got: {len(added)}")
    if expected != shape:
        raise invalid_argument(f"Expecting shape {shown_shape(expected)} but got: {shown_shape(shape)}")
    elements[name].extend(added)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    example = example_pb2.Example()
    for name, content in dict(members_of(value)).items():  # the last of repeated keys counts
        feature = example.features.feature[name]
        for element in content if isinstance(content, list) else [content]:
            _add_to_feature(feature, name, element)
    return example


def _add_to_feature(feature: feature_pb2.Feature, name: str, value: Any) -> None:
    element: bytes | float
    if isinstance(value, str):
        kind, element = "bytes_list", value.encode()
    elif is_base64(value):
        kind, element = "bytes_list", base64_bytes(value)
    elif isinstance(value, int):
        if value not in _INT64:
            raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
        kind, element = "int64_list", int(value)
    elif isinstance(value, float):
        check_lossless(value, types_pb2.DT_FLOAT)
        kind, element = "float_list", value
    else:
        raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")
    earlier = feature.WhichOneof("kind")
    if earlier not in (None, kind):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: {earlier.removesuffix('_list')}"
        )
    getattr(feature, kind).value.append(element)

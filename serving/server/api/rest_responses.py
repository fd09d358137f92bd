"""Converts gRPC responses to response bodies of TensorFlow Serving's REST API."""

import inspect
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2, get_model_status_pb2, regression_pb2

from serving.server.api.json_tensor import to_json
from serving.server.errors import invalid_argument

# protobuf 5.26 renamed the option.
_EVERY_FIELD: Final = next(
    {name: True}
    for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
    if name in inspect.signature(json_format.MessageToDict).parameters
)


def predictions(outputs: Mapping[str, tensor_pb2.TensorProto], *, rows: bool) -> dict[str, Any]:
    """Builds the body of a predict response.

    Args:
        outputs: Output → tensor.
        rows: Whether `predictions` gets one value per row; otherwise `outputs` gets one value per output. With several
            outputs, the values are objects.

    Raises:
        ServingError: INVALID_ARGUMENT if there is no output, or the outputs have different numbers of rows.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if rows:
        _check_rows(outputs)
    columns = {name: to_json(name, proto) for name, proto in sorted(outputs.items())}
    alone = next(iter(columns.values())) if len(columns) == 1 else None
    if not rows:
        return {"outputs": columns if alone is None else alone}
    if alone is not None:
        return {"predictions": alone}
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def classifications(result: classification_pb2.ClassificationResult) -> dict[str, Any]:
    """Builds the body of a classify response: pairs of label and score for each example."""
    rows = [[[one.label, _shortest(one.score)] for one in row.classes] for row in result.classifications]
    return {"results": rows}


def regressions(result: regression_pb2.RegressionResult) -> dict[str, Any]:
    """Builds the body of a regress response: one number for each example."""
    return {"results": [_shortest(one.value) for one in result.regressions]}


def model_status(response: get_model_status_pb2.GetModelStatusResponse) -> dict[str, Any]:
    """Builds the body of a status response."""
    return _message(response)


def model_metadata(response: get_model_metadata_pb2.GetModelMetadataResponse) -> dict[str, Any]:
    """Builds the body of a metadata response."""
    signatures = {}
    for field, value in response.metadata.items():
        unpacked = get_model_metadata_pb2.SignatureDefMap()
        value.Unpack(unpacked)
        signatures[field] = _message(unpacked)
    return {"model_spec": _message(response.model_spec), "metadata": signatures}


def written(body: Mapping[str, Any]) -> bytes:
    """Serializes a body, with NaN and Infinity as TensorFlow Serving writes them."""
    return json.dumps(body, ensure_ascii=False).encode()


def _check_rows(outputs: Mapping[str, tensor_pb2.TensorProto]) -> None:
    sizes: list[int] = []
    for name, proto in sorted(outputs.items()):
        if not proto.tensor_shape.dim:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        sizes.append(proto.tensor_shape.dim[0].size)
        if sizes[-1] != sizes[0]:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {sizes[-1]} expecting: {sizes[0]}"
            )


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True, **_EVERY_FIELD)
    return body


def _shortest(value: float) -> float:
    """Returns the shortest decimal that rounds to the same float32."""
    return float(str(np.float32(value)))

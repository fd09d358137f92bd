"""JSON values as tensors and back, by the rules and in the words of TensorFlow Serving's REST API."""

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

from serving.server.errors import ServingError, invalid_argument
from serving.server.execution.tensors import to_array

B64: Final = "b64"
# Outputs with such a name are bytes, not text.
_BYTES_SUFFIX: Final = "_bytes"

# Deep lists come in one piece a level, and are written recursively.
_SHOWN_PIECES: Final = 256
_TYPE_NAMES: Final[Mapping[type, str]] = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def shown(value: Any) -> str:
    """Writes a JSON value for an error message; only the beginning of a long one."""
    pieces = json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value)
    return "".join(islice(pieces, _SHOWN_PIECES))


def type_name(value: Any) -> str:
    """Names the JSON type of a value, as rapidjson does: `Null`, `True`, `False`, `Object`, ..."""
    return str(value) if isinstance(value, bool) else _TYPE_NAMES[type(value)]


def is_base64(value: Any) -> bool:
    """Whether a value is bytes in JSON: `{"b64": "..."}` and nothing else."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(B64), str)


def base64_bytes(value: Mapping[str, str]) -> bytes:
    """Decodes `{"b64": "..."}`.

    Raises:
        ServingError: INVALID_ARGUMENT; it is not base64.
    """
    text = value[B64]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise invalid_argument("Unable to base64 decode") from None


def flat(value: Any, dtype: int) -> tuple[list[int], list[Any]]:
    """Takes a JSON value apart.

    Args:
        value: a scalar, or lists in lists of the same lengths.
        dtype: of the tensor that it is to be, a `types_pb2.DataType`.

    Returns:
        The shape, and the elements in row-major order: bytes for strings, otherwise what the JSON holds.

    Raises:
        ServingError: INVALID_ARGUMENT, the lists are ragged or an element does not fit; UNIMPLEMENTED, the data type
            cannot be written in JSON.
    """
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        if not first:
            break
        first = first[0]
    elements = [value]
    for level, size in enumerate(shape):
        for row in elements:
            if not isinstance(row, list):
                raise invalid_argument(
                    f"JSON Value: {shown(row)} found at incorrect level: {level + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape)}"
                )
            if len(row) != size:
                raise invalid_argument(
                    f"Encountered list at unexpected size: {len(row)} at level: {level} expected size: {size}"
                )
        elements = [element for row in elements for element in row]
    return shape, [_element(element, dtype, len(shape)) for element in elements]


def tensor(dtype: int, shape: Sequence[int], elements: Sequence[Any]) -> tensor_pb2.TensorProto:
    """Makes a tensor with typed fields.

    Args:
        dtype: a `types_pb2.DataType`.
        shape: may hold a zero.
        elements: of `flat`, in row-major order.
    """
    proto = tensor_pb2.TensorProto(
        dtype=dtype,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
        ),
    )
    if elements:
        getattr(proto, _FIELDS[dtype][0]).extend(elements)
    return proto


def to_json(name: str, proto: tensor_pb2.TensorProto) -> Any:
    """Makes a JSON value of a tensor.

    Args:
        name: its alias; strings of one that ends in `_bytes` become `{"b64": "..."}`.
        proto: of any shape.

    Returns:
        A scalar, or lists in lists. Bytes that are not UTF-8 and not called bytes get replacement characters: what
        TensorFlow Serving sends then is no JSON.

    Raises:
        ServingError: INVALID_ARGUMENT; JSON has no complex numbers.
    """
    array = to_array(proto, name)
    if array.dtype.kind == "c":
        raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype}")
    if array.dtype == object:
        text = _as_base64 if name.endswith(_BYTES_SUFFIX) else _as_text
        return _deep(array.tolist(), text)
    if array.dtype.kind not in "biu" and array.dtype != np.float64:
        # The shortest decimal that is this float32: 0.2, where a conversion to double gives 0.20000000298023224.
        array = array.astype(np.float32).astype(str).astype(np.float64)
    return array.tolist()


def is_lossless(value: float, largest_integer: int, largest: float) -> bool:
    """Whether a number can be a float: TensorFlow Serving refuses integers that would be rounded, and overflow."""
    if isinstance(value, int):
        return abs(value) <= largest_integer
    return not math.isfinite(value) or abs(value) <= largest


def is_float32(value: float) -> bool:
    """Whether a number can be a float32, see `is_lossless`."""
    return is_lossless(value, 2**24 - 1, float(np.finfo(np.float32).max))


def _is_float64(value: float) -> bool:
    return is_lossless(value, 2**53 - 1, float(np.finfo(np.float64).max))


def _integers(dtype: type[np.integer[Any]]) -> Callable[[Any], bool]:
    lowest, highest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return lambda value: type(value) is int and lowest <= value <= highest


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


# Of each data type that JSON can hold: the field of TensorProto, and whether a value is of it.
_FIELDS: Final[Mapping[int, tuple[str, Callable[[Any], bool]]]] = {
    types_pb2.DT_FLOAT: ("float_val", _is_number),
    types_pb2.DT_DOUBLE: ("double_val", _is_number),
    types_pb2.DT_INT32: ("int_val", _integers(np.int32)),
    types_pb2.DT_INT16: ("int_val", _integers(np.int16)),
    types_pb2.DT_INT8: ("int_val", _integers(np.int8)),
    types_pb2.DT_UINT8: ("int_val", _integers(np.uint8)),
    types_pb2.DT_INT64: ("int64_val", _integers(np.int64)),
    types_pb2.DT_UINT32: ("uint32_val", _integers(np.uint32)),
    types_pb2.DT_UINT64: ("uint64_val", _integers(np.uint64)),
    types_pb2.DT_BOOL: ("bool_val", lambda value: isinstance(value, bool)),
    types_pb2.DT_STRING: ("string_val", lambda value: isinstance(value, str)),
}
_LOSSLESS: Final = {types_pb2.DT_FLOAT: ("float", is_float32), types_pb2.DT_DOUBLE: ("double", _is_float64)}


def _element(value: Any, dtype: int, rank: int) -> Any:
    if isinstance(value, list):
        raise invalid_argument(f"Encountered list at unexpected level: {rank} expected < {rank}")
    type_of_tensor = types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
    if isinstance(value, dict) and dtype == types_pb2.DT_STRING:
        if not is_base64(value):
            raise invalid_argument(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
        return base64_bytes(value)
    if dtype not in _FIELDS:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED, f"Conversion of JSON Value: {shown(value)} to type: {type_of_tensor}"
        )
    if not _FIELDS[dtype][1](value):
        raise invalid_argument(
            f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: {type_of_tensor}"
        )
    if dtype in _LOSSLESS and not _LOSSLESS[dtype][1](value):
        raise lossy(value, _LOSSLESS[dtype][0])
    return value.encode() if isinstance(value, str) else value


def lossy(value: float, target: str) -> ServingError:
    """The error of a number that a floating point type cannot hold."""
    return invalid_argument(f"Cannot convert JSON value: {shown(value)} to {target} without loss of precision.")


def _deep(value: Any, convert: Callable[[bytes], Any]) -> Any:
    return [_deep(item, convert) for item in value] if isinstance(value, list) else convert(value)


def _as_base64(value: bytes) -> dict[str, str]:
    return {B64: base64.b64encode(value).decode("ascii")}


def _as_text(value: bytes) -> str:
    return value.decode("utf-8", "replace")

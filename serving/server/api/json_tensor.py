"""Converts JSON values to tensors and back, with the rules and messages of TensorFlow Serving's REST API."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.api.json_document import has_one_member, shown
from serving.server.errors import ServingError, invalid_argument
from serving.server.execution.tensors import to_array, value_field

_B64: Final = "b64"
_WITHOUT_SPACE: Final = dict.fromkeys(map(ord, " \t\n\v\f\r"))
_TYPE_NAMES: Final = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def type_name(value: Any) -> str:
    """Returns rapidjson's name of a value's type, such as `Null`, `True`, `False` or `Object`."""
    return str(value) if isinstance(value, bool) else _TYPE_NAMES[type(value)]


def is_base64(value: Any) -> bool:
    """Returns whether a value is exactly `{"b64": "..."}`, which stands for bytes."""
    return isinstance(value, dict) and has_one_member(value) and isinstance(value.get(_B64), str)


def base64_bytes(value: Mapping[str, str]) -> bytes:
    """Decodes `{"b64": "..."}`; white space anywhere and missing padding are allowed, as in `absl::Base64Unescape`.

    Raises:
        ServingError: INVALID_ARGUMENT for invalid base64.
    """
    digits = value[_B64].translate(_WITHOUT_SPACE)
    data = digits.rstrip("=.")
    padding = -len(data) % 4
    try:
        if len(digits) - len(data) not in (0, padding):
            raise ValueError
        return base64.b64decode(data + "=" * padding, validate=True)
    except (ValueError, binascii.Error):
        raise invalid_argument("Unable to base64 decode") from None


def flat(value: Any, dtype: int) -> tuple[list[int], list[Any]]:
    """Flattens a scalar or nested lists into a shape and the elements in row-major order; strings become bytes.

    Raises:
        ServingError: INVALID_ARGUMENT for ragged lists and for elements of another type; UNIMPLEMENTED for a data type
            that JSON cannot represent.
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
    """Builds a tensor of a `types_pb2.DataType` with the elements that `flat` returned in its typed field."""
    proto = tensor_pb2.TensorProto(dtype=dtype, tensor_shape={"dim": [{"size": size} for size in shape]})
    if elements:
        getattr(proto, value_field(dtype)).extend(elements)
    return proto


def to_json(name: str, proto: tensor_pb2.TensorProto) -> Any:
    """Converts an output to a scalar or nested lists.

    Strings become `{"b64": "..."}` if the output's name ends with `_bytes`. In other outputs, strings that are not
    UTF-8 get replacement characters; TensorFlow Serving sends invalid JSON for them.

    Raises:
        ServingError: INVALID_ARGUMENT for complex numbers.
    """
    array = to_array(proto, name)
    if array.dtype.kind == "c":
        raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype}")
    if array.dtype == object:
        convert = _as_base64 if name.endswith("_bytes") else _as_text
        return np.vectorize(convert, otypes=[object])(array).tolist()
    if array.dtype.kind not in "biu" and array.dtype != np.float64:
        # The shortest decimal of a float32 is 0.2, where a conversion to double gives 0.20000000298023224.
        array = array.astype(np.float32).astype(str).astype(np.float64)
    return array.tolist()


def check_lossless(value: float, dtype: int) -> None:
    """Checks that a number fits into DT_FLOAT or DT_DOUBLE.

    Raises:
        ServingError: INVALID_ARGUMENT for an overflow and for an integer that would be rounded.
    """
    name, largest_integer, largest = _FLOATS[dtype]
    limit = largest_integer if isinstance(value, int) else largest
    if limit < abs(value) < math.inf:
        raise invalid_argument(f"Cannot convert JSON value: {shown(value)} to {name} without loss of precision.")


def _integers(dtype: type[np.integer[Any]]) -> Callable[[Any], bool]:
    lowest, highest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return lambda value: type(value) is int and lowest <= value <= highest


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


# Data types that JSON can represent, with a check whether a JSON value has the type.
_CHECKS: Final[Mapping[int, Callable[[Any], bool]]] = {
    types_pb2.DT_FLOAT: _is_number,
    types_pb2.DT_DOUBLE: _is_number,
    types_pb2.DT_INT32: _integers(np.int32),
    types_pb2.DT_INT16: _integers(np.int16),
    types_pb2.DT_INT8: _integers(np.int8),
    types_pb2.DT_UINT8: _integers(np.uint8),
    types_pb2.DT_INT64: _integers(np.int64),
    types_pb2.DT_UINT32: _integers(np.uint32),
    types_pb2.DT_UINT64: _integers(np.uint64),
    types_pb2.DT_BOOL: lambda value: isinstance(value, bool),
    types_pb2.DT_STRING: lambda value: isinstance(value, str),
}
# TensorFlow Serving's name of a floating point type, its largest integer without rounding, and its largest number.
_FLOATS: Final = {
    types_pb2.DT_FLOAT: ("float", 2**24 - 1, float(np.finfo(np.float32).max)),
    types_pb2.DT_DOUBLE: ("double", 2**53 - 1, float(np.finfo(np.float64).max)),
}


def _element(value: Any, dtype: int, rank: int) -> Any:
    if isinstance(value, list):
        raise invalid_argument(f"Encountered list at unexpected level: {rank} expected < {rank}")
    type_of_tensor = types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
    if isinstance(value, dict) and dtype == types_pb2.DT_STRING:
        if not is_base64(value):
            raise invalid_argument(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
        return base64_bytes(value)
    if dtype not in _CHECKS:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED, f"Conversion of JSON Value: {shown(value)} to type: {type_of_tensor}"
        )
    if not _CHECKS[dtype](value):
        raise invalid_argument(
            f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: {type_of_tensor}"
        )
    if dtype in _FLOATS:
        check_lossless(value, dtype)
    return value.encode() if isinstance(value, str) else value


def _as_base64(value: bytes) -> dict[str, str]:
    return {_B64: base64.b64encode(value).decode("ascii")}


def _as_text(value: bytes) -> str:
    return value.decode("utf-8", "replace")

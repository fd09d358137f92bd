"""Converts between TensorProtos and Python lists, without TensorFlow."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from serving.client.transport import TransportError

# DT_STRING, and the layout and field of DT_FLOAT, DT_DOUBLE, DT_INT64 and DT_BOOL: the types that the exported
# signatures return.
_STRING: Final = 7
_NUMBERS: Final = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    9: ("<i8", "int64_val"),
    10: ("?", "bool_val"),
}


def set_strings(tensor: Any, values: Sequence[bytes]) -> None:
    """Fills an empty TensorProto, in place, with strings `[n]`."""
    tensor.dtype = _STRING
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.string_val.extend(values)


def to_list(tensor: Any) -> Any:
    """Converts a TensorProto of numbers, truth values or strings to a list nested to its shape; strings become str.

    Raises:
        TransportError: The tensor has another data type, or not as many values as its shape requires.
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype == _STRING:
        values = [value.decode(errors="replace") for value in tensor.string_val]
        return _shaped(np.array(values, dtype=object), shape)
    if tensor.dtype not in _NUMBERS:
        raise TransportError(
            "INTERNAL", f"the answer holds a tensor of type {tensor.dtype}; numbers, truth values or strings expected"
        )
    dtype, field = _NUMBERS[tensor.dtype]
    packed = tensor.tensor_content
    return _shaped(np.frombuffer(packed, dtype) if packed else np.array(getattr(tensor, field), dtype), shape)


def _shaped(values: np.ndarray[Any, Any], shape: Sequence[int]) -> Any:
    # As in TensorFlow, the last value stands for all missing ones.
    if 0 < values.size < math.prod(shape):
        values = np.append(values, np.full(math.prod(shape) - values.size, values[-1], values.dtype))
    if values.size != math.prod(shape):
        raise TransportError("INTERNAL", f"the answer holds a tensor of shape {list(shape)} with {values.size} values")
    return values.reshape(shape).tolist()

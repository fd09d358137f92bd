"""Converts between TensorProtos and Python lists, without TensorFlow."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from serving.client.transport import TransportError

# TensorFlow's numbers of the data types that the exported signatures return.
_FLOAT: Final = 1
_DOUBLE: Final = 2
_STRING: Final = 7
_NUMBERS: Final = {_FLOAT: ("<f4", "float_val"), _DOUBLE: ("<f8", "double_val")}


def set_strings(tensor: Any, values: Sequence[bytes]) -> None:
    """Fills an empty TensorProto with strings.

    Args:
        tensor: The TensorProto, changed in place.
        values: The strings, `[n]`.
    """
    tensor.dtype = _STRING
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.string_val.extend(values)


def to_list(tensor: Any) -> Any:
    """Reads a TensorProto, from its typed field or from its bytes.

    Args:
        tensor: A TensorProto of floats or strings.

    Returns:
        A list nested to the tensor's shape; strings are str.

    Raises:
        TransportError: The tensor has another data type, or not as many values as its shape requires.
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype == _STRING:
        values = [value.decode(errors="replace") for value in tensor.string_val]
        return _shaped(np.array(values, dtype=object), shape)
    if tensor.dtype not in _NUMBERS:
        raise TransportError(
            "INTERNAL", f"the answer holds a tensor of type {tensor.dtype}; floats or strings expected"
        )
    dtype, field = _NUMBERS[tensor.dtype]
    if tensor.tensor_content:
        return _shaped(np.frombuffer(tensor.tensor_content, dtype), shape)
    return _shaped(np.array(getattr(tensor, field), dtype), shape)


def _shaped(values: np.ndarray[Any, Any], shape: Sequence[int]) -> Any:
    # As in TensorFlow, the last value stands for all missing ones.
    if 0 < values.size < math.prod(shape):
        values = np.append(values, np.full(math.prod(shape) - values.size, values[-1], values.dtype))
    if values.size != math.prod(shape):
        raise TransportError("INTERNAL", f"the answer holds a tensor of shape {list(shape)} with {values.size} values")
    return values.reshape(shape).tolist()

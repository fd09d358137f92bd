"""Converts tensors between protos and arrays, as `Tensor::FromProto` and `AsProtoField` of the C++ runtime do."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

from serving.server.errors import ServingError, invalid_argument

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

# A request of a few bytes may claim any shape, and its last value fills the missing ones. Requests with more missing
# values than this are refused, or a few of them would take all memory.
MAX_REPEATED_VALUES: Final = 2**22

_MAX_RANK: Final = 32  # numpy's limit
_VARINT_CONTINUES: Final = 0x80
_MAX_VARINT32_BITS: Final = 32
_UINT32: Final = 2**32 - 1


@dataclass(frozen=True)
class _Kind:
    """Representation of a dtype in protos and arrays.

    Attributes:
        number: DataType of the proto.
        dtype: Dtype of the array.
        field: Field of TensorProto that holds the values.
        stored: Dtype of the values in that field: bits of small floats, parts of complex numbers, otherwise `dtype`.
    """

    number: int
    dtype: np.dtype[Any]
    field: str
    stored: np.dtype[Any]


def _kinds() -> list[_Kind]:
    same: dict[str, tuple[tf.DType, ...]] = {
        "float_val": (tf.float32,),
        "double_val": (tf.float64,),
        "int_val": (tf.int32, tf.int16, tf.int8, tf.uint16, tf.uint8),
        "int64_val": (tf.int64,),
        "uint32_val": (tf.uint32,),
        "uint64_val": (tf.uint64,),
        "bool_val": (tf.bool,),
        "string_val": (tf.string,),
    }
    other = (
        (tf.float16, "half_val", np.uint16),
        (tf.bfloat16, "half_val", np.uint16),
        (tf.complex64, "scomplex_val", np.float32),
        (tf.complex128, "dcomplex_val", np.float64),
        (tf.qint8, "int_val", np.int8),
        (tf.quint8, "int_val", np.uint8),
        (tf.qint16, "int_val", np.int16),
        (tf.quint16, "int_val", np.uint16),
        (tf.qint32, "int_val", np.int32),
    )
    kinds = [(dtype, field, dtype.as_numpy_dtype) for field, dtypes in same.items() for dtype in dtypes]
    return [
        _Kind(dtype.as_datatype_enum, np.dtype(dtype.as_numpy_dtype), field, np.dtype(stored))
        for dtype, field, stored in (*kinds, *other)
    ]


_BY_NUMBER: Final = {kind.number: kind for kind in _kinds()}
_BY_DTYPE: Final = {kind.dtype: kind for kind in _kinds()}


def to_array(proto: tensor_pb2.TensorProto, alias: str) -> NDArray[Any]:
    """Reads a tensor as TensorFlow Serving does.

    The values are those of `tensor_content`; if it is empty, those of the dtype's field. Surplus values of the field
    are ignored. Missing values are filled with the last one, or with zeros or empty strings if there is none.

    Args:
        proto: The tensor of a request.
        alias: Name of the input, for the error message.

    Returns:
        An array of the proto's shape, possibly read-only; strings are objects of type bytes.

    Raises:
        ServingError: INVALID_ARGUMENT for a malformed proto and for a dtype without values (resource, variant).
    """
    kind = _BY_NUMBER.get(proto.dtype)
    shape = _shape_of(proto.tensor_shape)
    if kind is None or shape is None:
        raise _malformed(alias)
    count = math.prod(shape)
    try:
        if not count:
            return np.empty(shape, kind.dtype)
        if proto.tensor_content:
            values = _from_content(proto.tensor_content, kind, count)
        else:
            values = _from_field(getattr(proto, kind.field), kind, count)
    except ValueError:
        raise _malformed(alias) from None
    return values.reshape(shape)


def to_proto(array: NDArray[Any]) -> tensor_pb2.TensorProto:
    """Writes a tensor as TensorFlow Serving does: values in the dtype's own field, never in `tensor_content`.

    Args:
        array: The values; strings are objects of type bytes.

    Raises:
        ServingError: UNIMPLEMENTED for a dtype that has no field in TensorProto.
    """
    kind = _BY_DTYPE.get(array.dtype)
    if kind is None:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, f"Tensors of dtype {array.dtype} cannot be sent")
    proto = tensor_pb2.TensorProto(dtype=kind.number)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = array.ravel()
    getattr(proto, kind.field).extend((values if kind.stored == kind.dtype else values.view(kind.stored)).tolist())
    return proto


def data_type_name(dtype: np.dtype[Any]) -> str:
    """Returns the protocol's name of an array's dtype, such as `DT_FLOAT`."""
    kind = _BY_DTYPE.get(dtype)
    return str(types_pb2.DataType.Name(kind.number if kind else types_pb2.DT_INVALID))


def value_field(data_type: int) -> str:
    """Returns the field of TensorProto that holds the values of a `types_pb2.DataType`."""
    return _BY_NUMBER[data_type].field


def shown_shape(shape: Iterable[int]) -> str:
    """Writes a shape as TensorFlow Serving does, such as `[2,3]`."""
    return f"[{','.join(map(str, shape))}]"


def _malformed(alias: str) -> ServingError:
    return invalid_argument(f"tensor parsing error: {alias}")


def _shape_of(proto: tensor_shape_pb2.TensorShapeProto) -> tuple[int, ...] | None:
    shape = tuple(dim.size for dim in proto.dim)
    # Like the runtime, this reads a proto of unknown rank by the dimensions that it lists.
    if len(shape) > _MAX_RANK or any(size < 0 for size in shape):
        return None
    return shape


def _from_content(content: bytes, kind: _Kind, count: int) -> NDArray[Any]:
    """Raises ValueError if the content does not hold `count` values."""
    if kind.number == tf.string.as_datatype_enum:
        return _strings_of(content, count)
    if len(content) != count * kind.dtype.itemsize:
        raise ValueError
    if kind.dtype == np.bool_ and content.strip(b"\x00\x01"):
        raise ValueError  # other bytes are not bools
    return np.frombuffer(content, kind.dtype)


def _strings_of(content: bytes, count: int) -> NDArray[Any]:
    """Decodes the lengths of all strings, varints of 32 bits, and then the strings."""
    lengths = []
    place = 0
    for _ in range(count):
        length = shift = 0
        while True:
            if place >= len(content) or shift >= _MAX_VARINT32_BITS:
                raise ValueError
            byte = content[place]
            place += 1
            length |= (byte & ~_VARINT_CONTINUES) << shift
            shift += 7
            if not byte & _VARINT_CONTINUES:
                break
        lengths.append(length & _UINT32)
    if place + sum(lengths) != len(content):
        raise ValueError
    strings = np.empty(count, object)
    for number, length in enumerate(lengths):
        strings[number] = content[place : place + length]
        place += length
    return strings


def _from_field(field: Any, kind: _Kind, count: int) -> NDArray[Any]:
    """Raises ValueError if too many values are missing."""
    width = 2 if kind.dtype.kind == "c" else 1
    given = min(len(field) // width, count)
    if count - given > MAX_REPEATED_VALUES:
        raise ValueError
    values: NDArray[Any]
    if kind.field in ("half_val", "int_val"):  # only the low bits of each 32-bit value count
        values = np.fromiter(field, np.int32, given).astype(kind.stored).view(kind.dtype)
    else:
        values = np.fromiter(field, kind.stored, given * width).view(kind.dtype)
    if given == count:
        return values
    missing = np.empty(count - given, kind.dtype)
    if given:
        missing[:] = values[-1]
    elif kind.dtype == np.object_:
        missing[:] = b""
    else:
        missing[:] = np.zeros((), kind.dtype)
    return np.concatenate([values, missing])

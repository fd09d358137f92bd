"""Converts tensors between protos and arrays, as `Tensor::FromProto` and `AsProtoField` of the C++ runtime do."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.errors import ServingError, invalid_argument

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

# A tensor of a few bytes may claim any shape, and its last value fills the missing ones. `execution.request_memory`
# limits what they take; this is for those who convert tensors without it.
MAX_REPEATED_VALUES: Final = 2**26

_MAX_RANK: Final = 32  # numpy's limit
_VARINT_CONTINUES: Final = 0x80
_MAX_VARINT32_BITS: Final = 32
_UINT32: Final = 2**32 - 1
_BYTES_PER_STRING: Final = 80  # the objects of Python and TensorFlow, and their pointers


@dataclass(frozen=True)
class _Kind:
    """Representation of a dtype in protos and arrays."""

    number: int  # DataType of the proto
    dtype: np.dtype[Any]  # of the array
    field: str  # field of TensorProto that holds the values
    stored: np.dtype[Any]  # of these values: bits of small floats, parts of complex numbers, otherwise `dtype`


_QUANTIZED: Final = (tf.qint8, tf.quint8, tf.qint16, tf.quint16, tf.qint32)
_FIELDS: Final[Mapping[str, tuple[tf.DType, ...]]] = {
    "half_val": (tf.float16, tf.bfloat16),
    "float_val": (tf.float32,),
    "double_val": (tf.float64,),
    "scomplex_val": (tf.complex64,),
    "dcomplex_val": (tf.complex128,),
    "int_val": (tf.int32, tf.int16, tf.int8, tf.uint16, tf.uint8, *_QUANTIZED),
    "int64_val": (tf.int64,),
    "uint32_val": (tf.uint32,),
    "uint64_val": (tf.uint64,),
    "bool_val": (tf.bool,),
    "string_val": (tf.string,),
}
_STORED: Final = {"half_val": np.uint16, "scomplex_val": np.float32, "dcomplex_val": np.float64}


def _kind(dtype: tf.DType, field: str) -> _Kind:
    array = np.dtype(dtype.as_numpy_dtype)
    plain = array[0] if dtype.is_quantized else array  # numpy represents quantized numbers as structures of one field
    return _Kind(dtype.as_datatype_enum, array, field, np.dtype(_STORED.get(field, plain)))


_KINDS: Final = [_kind(dtype, field) for field, dtypes in _FIELDS.items() for dtype in dtypes]
_BY_NUMBER: Final = {kind.number: kind for kind in _KINDS}
_BY_DTYPE: Final = {kind.dtype: kind for kind in _KINDS}


def to_array(proto: tensor_pb2.TensorProto, alias: str) -> NDArray[Any]:
    """Reads a tensor as TensorFlow Serving does.

    The values are those of `tensor_content`; if it is empty, those of the dtype's field. Surplus values of the field
    are ignored. Missing values are filled with the last one, or with zeros or empty strings if there is none.

    Args:
        proto: The tensor.
        alias: Name of the input, for the error message.

    Returns:
        An array of the proto's shape, possibly read-only; strings are objects of type bytes.

    Raises:
        ServingError: INVALID_ARGUMENT for a malformed proto and for a dtype without values (resource, variant).
    """
    kind = _BY_NUMBER.get(proto.dtype)
    # Like the runtime, this reads a proto of unknown rank by the dimensions that it lists.
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if kind is None or len(shape) > _MAX_RANK or min(shape, default=0) < 0:
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


def memory_of_tensor(proto: tensor_pb2.TensorProto) -> int:
    """Estimates the bytes of the array that `to_array` returns, and of the runtime's copy of its strings.

    Args:
        proto: A tensor, which may be malformed.
    """
    kind = _BY_NUMBER.get(proto.dtype)
    if kind is None:
        return 0
    count = 1
    for dim in proto.tensor_shape.dim:
        size = dim.size
        if size < 0:
            return 0
        count *= size
    if kind.field != "string_val":
        return count * kind.dtype.itemsize
    values = proto.string_val
    given = len(values)
    # The content is part of the message, and a value that fills others is copied for each of them.
    filling = len(values[-1]) * (count - given) if 0 < given < count else 0
    return count * _BYTES_PER_STRING + filling


def to_proto(array: NDArray[Any]) -> tensor_pb2.TensorProto:
    """Writes a tensor as TensorFlow Serving does: values in the dtype's own field, never in `tensor_content`.

    Args:
        array: The values; strings are objects of type bytes.

    Raises:
        ServingError: UNIMPLEMENTED for a dtype that has no field in TensorProto.
    """
    proto = tensor_pb2.TensorProto()
    write_proto(array, proto)
    return proto


def write_proto(array: NDArray[Any], proto: tensor_pb2.TensorProto) -> None:
    """Works like `to_proto`, into an empty message."""
    kind = _BY_DTYPE.get(array.dtype)
    if kind is None:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, f"Tensors of dtype {array.dtype} cannot be sent")
    proto.dtype = kind.number
    dimensions = proto.tensor_shape.dim
    for size in array.shape:
        dimensions.add().size = size
    values = array.ravel()
    getattr(proto, kind.field).extend((values if kind.stored == kind.dtype else values.view(kind.stored)).tolist())


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
    empty = np.full(1, b"", object) if kind.dtype == np.object_ else np.zeros(1, kind.dtype)
    return np.concatenate([values, np.repeat(values[-1:] if given else empty, count - given)])

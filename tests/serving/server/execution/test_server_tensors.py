"""Compares our reading of TensorProtos with that of the C++ runtime, `tf.io.parse_tensor`."""

from __future__ import annotations

import time
import tracemalloc

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.errors import ServingError
from serving.server.execution.tensors import MAX_REPEATED_VALUES, data_type_name, to_array, to_proto

PROPERTY = settings(max_examples=200)

NUMBERS = [
    *(tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128),
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool),
]
QUANTIZED = [tf.qint8, tf.quint8, tf.qint16, tf.quint16, tf.qint32]
ALL = [*NUMBERS, *QUANTIZED, tf.string]

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
FIELDS = {
    "half_val": st.integers(-(2**31), 2**31 - 1),
    "float_val": st.floats(width=32),
    "double_val": st.floats(),
    "int_val": st.integers(-(2**31), 2**31 - 1),
    "string_val": st.binary(max_size=4),
    "scomplex_val": st.floats(width=32),
    "int64_val": st.integers(-(2**63), 2**63 - 1),
    "bool_val": st.booleans(),
    "dcomplex_val": st.floats(),
    "uint32_val": st.integers(0, 2**32 - 1),
    "uint64_val": st.integers(0, 2**64 - 1),
}


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Draws arrays of any bits of any dtype."""
    dtype = draw(st.sampled_from(ALL))
    shape = draw(SHAPES)
    count = int(np.prod(shape))
    if dtype == tf.string:
        array = np.empty(count, object)
        array[:] = draw(st.lists(st.binary(max_size=6), min_size=count, max_size=count))
        return array.reshape(shape)
    if dtype == tf.bool:
        return draw(hnp.arrays(np.bool_, shape))
    size = count * np.dtype(dtype.as_numpy_dtype).itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype.as_numpy_dtype).reshape(shape)


@st.composite
def protos(draw: st.DrawFn) -> tensor_pb2.TensorProto:
    """Draws protos that a faulty client could send; small ones, because the C++ runtime has no limit."""
    dtype = draw(st.sampled_from([*(dtype.as_datatype_enum for dtype in ALL), types_pb2.DT_INVALID]))
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in draw(st.lists(st.integers(-1, 4), max_size=3)):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.booleans())
    for field in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=3)):
        getattr(proto, field).extend(draw(st.lists(FIELDS[field], max_size=6)))
    if draw(st.booleans()):
        proto.tensor_content = draw(st.binary(max_size=16))
    return proto


def read_or_refused(proto: tensor_pb2.TensorProto) -> np.ndarray | None:
    """Returns None if the proto is refused with the contract's message; other errors are bugs."""
    try:
        return to_array(proto, "x")
    except ServingError as error:
        if (error.code, error.message) != (grpc.StatusCode.INVALID_ARGUMENT, "tensor parsing error: x"):
            raise
        return None


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return (left.shape, left.dtype, _bits(left)) == (right.shape, right.dtype, _bits(right))


def _bits(array: np.ndarray) -> object:
    if array.dtype == np.object_:
        return array.tolist()
    if array.dtype.kind in "fc":  # Python has only one NaN
        numbers = array.ravel().view(array.real.dtype)
        return np.where(np.isnan(numbers), np.nan, numbers).tobytes()
    return array.tobytes()


def parsed_by_the_runtime(proto: tensor_pb2.TensorProto) -> np.ndarray | None:
    try:
        value = tf.io.parse_tensor(proto.SerializeToString(), proto.dtype).numpy()
    except (tf.errors.OpError, TypeError, ValueError):
        return None
    if proto.dtype == types_pb2.DT_STRING:
        strings = np.empty(np.shape(value), object)
        strings[...] = value
        return strings
    # The runtime returns quantized numbers to Python as plain integers.
    return np.asarray(value).view(tf.dtypes.as_dtype(proto.dtype).as_numpy_dtype)


@PROPERTY
@given(array=arrays())
def test_arrays_survive_a_round_trip(array: np.ndarray) -> None:
    assert same_bits(array, to_array(to_proto(array), "x"))


@PROPERTY
@given(array=arrays())
def test_values_are_written_to_one_typed_field_that_the_runtime_reads(array: np.ndarray) -> None:
    proto = to_proto(array)
    assert proto.tensor_content == b""
    used = {field.name for field, _ in proto.ListFields()} - {"dtype", "tensor_shape"}
    assert len(used) == (1 if array.size else 0)
    parsed = parsed_by_the_runtime(proto)
    assert parsed is not None
    assert same_bits(array, parsed)


@pytest.mark.parametrize(
    ("array", "field"),
    [
        (np.float32([0.5]), "float_val"),
        (np.float64([0.5]), "double_val"),
        (np.int32([1]), "int_val"),
        (np.int64([1]), "int64_val"),
        (np.array([b"a"], object), "string_val"),
        (np.array([True]), "bool_val"),
        (np.float16([0.5]), "half_val"),
        (np.complex64([1j]), "scomplex_val"),
        (np.uint64([1]), "uint64_val"),
    ],
)
def test_values_are_written_to_the_protocols_field(array: np.ndarray, field: str) -> None:
    assert len(getattr(to_proto(array), field)) >= 1


@PROPERTY
@given(array=arrays())
def test_tensor_content_is_read(array: np.ndarray) -> None:
    if array.dtype == np.object_:
        return
    proto = tensor_pb2.TensorProto(dtype=to_proto(array).dtype, tensor_content=array.tobytes())
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    assert same_bits(array, to_array(proto, "x"))


@PROPERTY
@given(proto=protos())
@example(tensor_pb2.TensorProto(dtype=types_pb2.DT_BOOL, tensor_content=b"\x02"))
@example(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_content=b"\x81\x80\x80\x80\x10a"))
@example(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_content=b"\x00"))
@example(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_content=b"\x80\x80\x80\x80\x80\x00"))
@example(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_content=b"\x81\x00a"))
@example(
    tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_content=b"\x02\x00\x01abc", tensor_shape={"dim": [{"size": 3}]}
    )
)
def test_any_proto_is_read_as_the_runtime_reads_it(proto: tensor_pb2.TensorProto) -> None:
    expected, read = parsed_by_the_runtime(proto), read_or_refused(proto)
    if expected is None:
        assert read is None
    else:
        assert read is not None
        assert same_bits(expected, read)


@pytest.mark.parametrize(
    ("values", "array"),
    [([], [0, 0, 0]), ([7], [7, 7, 7]), ([7, 8], [7, 8, 8]), ([7, 8, 9], [7, 8, 9]), ([7, 8, 9, 10], [7, 8, 9])],
)
def test_the_last_value_fills_the_missing_ones(values: list[int], array: list[int]) -> None:
    shape = {"dim": [{"size": 3}]}
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64, int64_val=values, tensor_shape=shape)
    assert array == to_array(proto, "x").tolist()


def test_missing_strings_are_empty() -> None:
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape={"dim": [{"size": 2}]})
    assert to_array(proto, "x").tolist() == [b"", b""]


@pytest.mark.parametrize(
    "sizes", [[MAX_REPEATED_VALUES + 2], [2**40], [2**62, 2**62], [2**62, 2**62, 0], [1000, 1000, 1000], [1] * 40]
)
@pytest.mark.parametrize("dtype", [types_pb2.DT_FLOAT, types_pb2.DT_STRING])
def test_a_small_request_cannot_claim_all_memory(sizes: list[int], dtype: int) -> None:
    proto = tensor_pb2.TensorProto(dtype=dtype, float_val=[1.0], string_val=[b"a"])
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    tracemalloc.start()
    start = time.monotonic()
    try:
        with pytest.raises(ServingError, match="INVALID_ARGUMENT: tensor parsing error: x"):
            to_array(proto, "x")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("dtype", [types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT, types_pb2.DT_FLOAT_REF, 999])
def test_dtypes_without_values_are_refused(dtype: int) -> None:
    with pytest.raises(ServingError, match="tensor parsing error: handle"):
        to_array(tensor_pb2.TensorProto(dtype=dtype), "handle")


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")
@PROPERTY
@given(st.binary(max_size=64))
def test_random_content_gives_an_array_or_an_error(content: bytes) -> None:
    try:
        proto = tensor_pb2.TensorProto.FromString(content)
    except DecodeError:
        return
    assert isinstance(read_or_refused(proto), np.ndarray | None)


def test_an_array_of_an_unsupported_dtype_is_refused() -> None:
    with pytest.raises(ServingError, match="UNIMPLEMENTED: Tensors of dtype datetime64"):
        to_proto(np.array(["2020-01-01"], "datetime64[D]"))


def test_dtypes_have_the_protocols_names() -> None:
    names = [data_type_name(np.dtype(dtype)) for dtype in (np.float32, np.object_, np.int64, np.bool_, "M8[s]")]
    assert names == ["DT_FLOAT", "DT_STRING", "DT_INT64", "DT_BOOL", "DT_INVALID"]

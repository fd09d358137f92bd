from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow.core.framework import tensor_pb2

from serving.client.tensors import set_strings, to_list
from serving.client.transport import TransportError

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def typed(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Makes a tensor with typed values, as TensorFlow Serving does."""
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    (proto.float_val if array.dtype == np.float32 else proto.double_val).extend(array.ravel().tolist())
    return proto


@given(arrays.arrays(st.sampled_from([np.float32, np.float64]), SHAPES))
def test_numbers_are_read_from_typed_fields_and_from_bytes(array: np.ndarray) -> None:
    np.testing.assert_equal(np.array(to_list(typed(array)), array.dtype).reshape(array.shape), array)
    np.testing.assert_equal(to_list(tf.make_tensor_proto(array)), array.tolist())  # tensor_content
    with_strides = tf.make_tensor_proto(array.T)
    np.testing.assert_equal(to_list(with_strides), array.T.tolist())


@given(arrays.arrays(object, SHAPES, elements=st.text(st.characters(exclude_categories=["Cs"]), max_size=5)))
def test_strings_are_read(array: np.ndarray) -> None:
    sent = np.vectorize(str.encode, otypes=[object])(array) if array.size else array
    assert to_list(tf.make_tensor_proto(sent, tf.string, array.shape)) == array.tolist()


@given(st.lists(st.binary(max_size=5), max_size=5))
def test_strings_are_written(values: list[bytes]) -> None:
    proto = tensor_pb2.TensorProto()
    set_strings(proto, values)
    np.testing.assert_equal(tf.make_ndarray(proto), np.array(values, object))


def test_the_last_value_stands_for_missing_ones() -> None:
    proto = typed(np.zeros([2, 2], np.float32))
    proto.float_val[:] = [1.0, 2.0]
    assert to_list(proto) == [[1.0, 2.0], [2.0, 2.0]] == tf.make_ndarray(proto).tolist()


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert to_list(tf.make_tensor_proto([b"caf\xe9"])) == ["caf\ufffd"]


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (tf.make_tensor_proto([1]), "a tensor of type 3; numbers, truth values or strings expected"),
        (tensor_pb2.TensorProto(), "a tensor of type 0"),
        (tensor_pb2.TensorProto(dtype=1), r"shape \[\] with 0 values"),
        (tensor_pb2.TensorProto(dtype=7, string_val=[b"a", b"b"]), r"shape \[\] with 2 values"),
        (tensor_pb2.TensorProto(dtype=1, tensor_content=b"\0" * 8), r"shape \[\] with 2 values"),
    ],
)
def test_malformed_tensors_are_errors(proto: tensor_pb2.TensorProto, message: str) -> None:
    with pytest.raises(TransportError, match=message):
        to_list(proto)

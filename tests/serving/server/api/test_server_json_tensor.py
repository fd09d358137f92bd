from __future__ import annotations

import json
import math
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.server.api.json_tensor import flat, tensor, to_json, type_name
from serving.server.errors import ServingError

DTYPES = {
    np.float32: types_pb2.DT_FLOAT,
    np.float64: types_pb2.DT_DOUBLE,
    np.int8: types_pb2.DT_INT8,
    np.int16: types_pb2.DT_INT16,
    np.int32: types_pb2.DT_INT32,
    np.int64: types_pb2.DT_INT64,
    np.uint8: types_pb2.DT_UINT8,
    np.uint32: types_pb2.DT_UINT32,
    np.uint64: types_pb2.DT_UINT64,
    np.bool_: types_pb2.DT_BOOL,
}
FLOAT, INT32, STRING = types_pb2.DT_FLOAT, types_pb2.DT_INT32, types_pb2.DT_STRING


def through_json(value: Any, dtype: int, name: str = "x") -> Any:
    """Converts a JSON value to a tensor and back, through JSON text."""
    return json.loads(json.dumps(to_json(name, tensor(dtype, *flat(value, dtype)))))


arrays = st.sampled_from(list(DTYPES)).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3))
)


@given(arrays)
def test_numbers_survive_a_round_trip(array: np.ndarray) -> None:
    got = np.array(through_json(array.tolist(), DTYPES[array.dtype.type]), array.dtype)
    np.testing.assert_array_equal(array, got)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_survive_a_round_trip(texts: list[str]) -> None:
    assert texts == through_json(texts, STRING)


@given(st.binary())
def test_bytes_are_base64_in_both_directions(value: bytes) -> None:
    proto = tensor(STRING, [1], [value])
    encoded = to_json("token_bytes", proto)
    assert proto == tensor(STRING, *flat(encoded, STRING))


def test_base64_needs_no_padding() -> None:
    assert flat({"b64": "YWI"}, STRING) == ([], [b"ab"])
    assert flat({"b64": "YWI="}, STRING) == ([], [b"ab"])
    assert flat({"b64": "YWI."}, STRING) == ([], [b"ab"])
    assert flat({"b64": "YW\r\n I\t=\n"}, STRING) == ([], [b"ab"])


def test_invalid_utf8_gets_replacement_characters() -> None:
    assert to_json("label", tensor(STRING, [1], [b"a\xff"])) == ["a\ufffd"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "0.2"), (1.0, "1.0"), (0.1 + 0.2, "0.3"), (1e20, "1e+20"), (1 / 3, "0.33333334"), (3e-5, "3e-05")],
)
def test_a_float32_is_written_as_its_shortest_decimal(value: float, text: str) -> None:
    assert text == json.dumps(to_json("y", tensor(FLOAT, [], [value])))


def test_nan_and_infinity_are_kept() -> None:
    values = to_json("y", tensor(FLOAT, [3], [math.nan, math.inf, -math.inf]))
    assert json.dumps(values) == "[NaN, Infinity, -Infinity]"
    assert ([3], [math.inf, -math.inf, 1.5]) == flat([math.inf, -math.inf, 1.5], FLOAT)


def test_float16_and_bfloat16_can_be_written() -> None:
    for dtype, bits in ((types_pb2.DT_HALF, 0x3E00), (types_pb2.DT_BFLOAT16, 0x3FC0)):
        proto = tensor_pb2.TensorProto(dtype=dtype, half_val=[bits])
        assert to_json("y", proto) == 1.5


@pytest.mark.parametrize(
    ("value", "shape"),
    [(1.0, []), ([], [0]), ([1.0, 2.0], [2]), ([[1.0], [2.0], [3.0]], [3, 1]), ([[], []], [2, 0])],
)
def test_the_shape_is_that_of_the_lists(value: Any, shape: list[int]) -> None:
    assert shape == flat(value, FLOAT)[0]


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ([[1.0], [2.0, 3.0]], FLOAT, "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
        ([1.0, [2.0]], FLOAT, "Encountered list at unexpected level: 1 expected < 1"),
        ([[1.0], 2.0], FLOAT, "JSON Value: 2.0 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        (["a"], FLOAT, 'JSON Value: "a" Type: String is not of expected type: float'),
        ([True], FLOAT, "JSON Value: true Type: True is not of expected type: float"),
        ([None], STRING, "JSON Value: null Type: Null is not of expected type: string"),
        ([{"a": 1}], FLOAT, 'JSON Value: {\n    "a": 1\n} Type: Object is not of expected type: float'),
        ([1.5], INT32, "JSON Value: 1.5 Type: Number is not of expected type: int32"),
        ([2**31], INT32, "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        ([1], types_pb2.DT_BOOL, "JSON Value: 1 Type: Number is not of expected type: bool"),
        ([-1], types_pb2.DT_UINT64, "JSON Value: -1 Type: Number is not of expected type: uint64"),
        ([2**24], FLOAT, "Cannot convert JSON value: 16777216 to float without loss of precision."),
        ([1e39], FLOAT, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        (
            [2**53],
            types_pb2.DT_DOUBLE,
            "Cannot convert JSON value: 9007199254740992 to double without loss of precision.",
        ),
        ([{"b64": "!"}], STRING, "Unable to base64 decode"),
        ([{"b64": "YWI=="}], STRING, "Unable to base64 decode"),
        ([{"b64": "Y=WI"}], STRING, "Unable to base64 decode"),
        ([{"b64": "YWI_"}], STRING, "Unable to base64 decode"),
        ([{"b64": 1}], STRING, 'JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data'),
    ],
)
def test_a_value_of_another_type_is_named(value: Any, dtype: int, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        flat(value, dtype)
    assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code
    assert message == caught.value.message


def test_a_data_type_that_json_cannot_hold_is_unimplemented() -> None:
    with pytest.raises(ServingError) as caught:
        flat([1.0], types_pb2.DT_HALF)
    assert grpc.StatusCode.UNIMPLEMENTED is caught.value.code
    assert caught.value.message == "Conversion of JSON Value: 1.0 to type: half"


def test_a_complex_output_cannot_be_written() -> None:
    with pytest.raises(ServingError, match="Failed to write JSON value for tensor type: complex64"):
        to_json("y", tensor_pb2.TensorProto(dtype=types_pb2.DT_COMPLEX64, scomplex_val=[1.0, 2.0]))


def test_a_long_value_is_cut_in_a_message() -> None:
    with pytest.raises(ServingError) as caught:
        flat({str(number): number for number in range(10**5)}, STRING)
    assert len(caught.value.message) < 2000


def test_types_are_named_as_rapidjson_names_them() -> None:
    assert [type_name(value) for value in (None, True, False, 1, 1.5, "", [], {})] == [
        "Null",
        "True",
        "False",
        "Number",
        "Number",
        "String",
        "Array",
        "Object",
    ]

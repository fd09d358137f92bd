from __future__ import annotations

import base64
from typing import Any

import grpc
import pytest
from google.protobuf import text_format
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import input_pb2

from serving.server.api.rest_requests import examples, parse, predict_inputs
from serving.server.errors import ServingError

X = {"x": meta_graph_pb2.TensorInfo(dtype=types_pb2.DT_FLOAT)}
X_AND_TEXT = {**X, "text": meta_graph_pb2.TensorInfo(dtype=types_pb2.DT_STRING)}


def proto(text: str) -> tensor_pb2.TensorProto:
    return text_format.Parse(text, tensor_pb2.TensorProto())


FLOATS = proto("dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: [1, 2]")
TEXTS = proto('dtype: DT_STRING tensor_shape { dim { size: 2 } } string_val: ["a", "b"]')


def message_of(call: Any, *args: Any) -> str:
    with pytest.raises(ServingError) as caught:
        call(*args)
    assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"[1]", "JSON Value: [\n    1\n] Is not object"),
        (
            b'{"signature_name": 5}',
            'JSON Value: {\n    "signature_name": 5\n} not formatted correctly. '
            "'signature_name' key must be a string value.",
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, message: str) -> None:
    assert message == message_of(parse, body)


def test_surrogate_pairs_may_be_escaped() -> None:
    assert parse(rb'{"a": "\ud83c\udfac"}') == {"a": "\U0001f3ac"}


@pytest.mark.parametrize(
    ("document", "inputs", "expected", "rows"),
    [
        ({"instances": [1.0, 2]}, X, {"x": FLOATS}, True),
        ({"instances": [{"x": 1.0}, {"x": 2.0}]}, X, {"x": FLOATS}, True),
        (
            {"instances": [{"x": 1.0, "text": "a"}, {"text": {"b64": "Yg=="}, "x": 2.0}]},
            X_AND_TEXT,
            {"x": FLOATS, "text": TEXTS},
            True,
        ),
        ({"inputs": [1.0, 2.0]}, X, {"x": FLOATS}, False),
        ({"inputs": {"x": [1.0, 2.0]}}, X, {"x": FLOATS}, False),
        ({"inputs": {"x": [1.0, 2.0], "text": ["a", "b"]}}, X_AND_TEXT, {"x": FLOATS, "text": TEXTS}, False),
        (
            {"instances": [[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]]},
            X,
            {
                "x": proto(
                    "dtype: DT_FLOAT tensor_shape { dim { size: 3 } dim { size: 2 } dim { size: 1 } } "
                    "float_val: [1, 2, 3, 4, 5, 6]"
                )
            },
            True,
        ),
        (
            {"inputs": {"b64": base64.b64encode(b"\xff").decode()}},
            {"text": X_AND_TEXT["text"]},
            {"text": proto(r'dtype: DT_STRING tensor_shape { } string_val: "\377"')},
            False,
        ),
    ],
)
def test_rows_and_columns_become_tensors(
    document: dict[str, Any], inputs: Any, expected: dict[str, tensor_pb2.TensorProto], rows: bool
) -> None:
    assert (expected, rows) == predict_inputs(document, "serving_default", inputs)


@pytest.mark.parametrize(
    ("document", "inputs", "message"),
    [
        ({}, X, "Missing 'inputs' or 'instances' key"),
        ({}, {}, "Failed to get input map for signature: serving_default"),
        (
            {"instances": [1], "inputs": [1]},
            X,
            'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": [\n        1\n    ]\n} '
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        (
            {"instances": 1},
            X,
            "JSON Value: {\n    \"instances\": 1\n} Excepting 'instances' to be an list/array",
        ),
        ({"instances": []}, X, "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
        (
            {"instances": [1]},
            X_AND_TEXT,
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map",
        ),
        ({"instances": [{"x": 1}, 2]}, X, "Expecting object but got list at item 1 of input list"),
        ({"instances": [2, {"x": 1}]}, X, "Expecting value/list but got object at item 1 of input list"),
        (
            {"instances": [{"y": 1}]},
            X,
            "Failed to process element: 0 key: y of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not "
            "have named input: y",
        ),
        (
            {"instances": [{"x": 1, "text": "a"}, {"x": 2}]},
            X_AND_TEXT,
            "Failed to process element: 1 of 'instances' list. JSON object: {\n    \"x\": 2\n} keys must be equal to: "
            "text,x",
        ),
        (
            {"instances": [1, "a"]},
            X,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: \"a\" Type: String "
            "is not of expected type: float",
        ),
        (
            {"instances": [[1], [1, 2]]},
            X,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 1 but "
            "got: 2",
        ),
        (
            {"instances": [[1], 1]},
            X,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting shape [1] but got: []",
        ),
        (
            {"inputs": [1]},
            X_AND_TEXT,
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map",
        ),
        ({"inputs": {"x": [1]}}, X_AND_TEXT, "Missing named input: text in 'inputs' object."),
    ],
)
def test_a_document_that_does_not_fit_the_signature_is_refused(
    document: dict[str, Any], inputs: Any, message: str
) -> None:
    assert message == message_of(predict_inputs, document, "serving_default", inputs)


def test_examples_get_features_of_the_kind_of_their_values() -> None:
    document = {
        "examples": [{"x": 1.5, "id": [1, True], "text": ["a", {"b64": "/w=="}], "none": []}, {}],
    }
    expected = input_pb2.Input()
    first = expected.example_list.examples.add()
    first.features.feature["x"].float_list.value.append(1.5)
    first.features.feature["id"].int64_list.value.extend([1, 1])
    first.features.feature["text"].bytes_list.value.extend([b"a", b"\xff"])
    first.features.feature["none"].SetInParent()
    expected.example_list.examples.add()
    assert expected == examples(document)


def test_context_is_shared_by_all_examples() -> None:
    expected = input_pb2.Input()
    expected.example_list_with_context.context.features.feature["a"].int64_list.value.append(1)
    expected.example_list_with_context.examples.add().features.feature["x"].float_list.value.append(0.5)
    assert expected == examples({"context": {"a": 1}, "examples": [{"x": 0.5}]})
    assert example_pb2.Example() != expected.example_list_with_context.context


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {},
            "JSON Value: {} When method is classify, key 'examples' is expected and was not found",
        ),
        ({"examples": 1}, "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"x": [[1]]}]}, "Feature: x has element with unexpected JSON type: Array"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": {"a": 1}}]}, "Feature: x has element with unexpected JSON type: Object"),
        ({"examples": [{"x": [1, 1.5]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": ["a", 1]}]}, "Unexpected element type in feature: x expecting type: bytes"),
        ({"examples": [{"x": 2**63}]}, "Feature: x has uint64 element. Only int64 is supported."),
        ({"examples": [{"x": 1e40}]}, "Cannot convert JSON value: 1e+40 to float without loss of precision."),
    ],
)
def test_invalid_examples_are_refused(document: dict[str, Any], message: str) -> None:
    assert message == message_of(examples, document)


def test_repeated_keys_count_as_for_tensorflow_serving() -> None:
    # The first of the document's and of the inputs' keys.
    document = parse(b'{"instances": [1.0], "instances": [2.0]}')
    assert predict_inputs(document, "s", X)[0] == {"x": tensor_of(1)}
    document = parse(b'{"inputs": {"x": [1.0], "x": [2.0]}}')
    assert predict_inputs(document, "s", X)[0] == {"x": tensor_of(1)}
    # All of a row's, of which the runtime ignores the surplus.
    document = parse(b'{"instances": [{"x": 1.0, "x": 2.0}, {"x": 3.0}]}')
    assert list(predict_inputs(document, "s", X)[0]["x"].float_val) == [1, 2, 3]
    # The last of an example's features.
    (example,) = examples(parse(b'{"examples": [{"x": 1.0, "x": 2.0}]}')).example_list.examples
    assert list(example.features.feature["x"].float_list.value) == [2]


def tensor_of(value: float) -> tensor_pb2.TensorProto:
    return proto(f"dtype: DT_FLOAT tensor_shape {{ dim {{ size: 1 }} }} float_val: {value}")

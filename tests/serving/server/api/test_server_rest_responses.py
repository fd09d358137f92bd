from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    regression_pb2,
)

from serving.server.api.rest_responses import (
    classifications,
    model_metadata,
    model_status,
    predictions,
    regressions,
    written,
)
from serving.server.errors import ServingError


def proto(text: str) -> tensor_pb2.TensorProto:
    return text_format.Parse(text, tensor_pb2.TensorProto())


ONE = proto("dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: [1.5, 2]")
TWO = proto('dtype: DT_STRING tensor_shape { dim { size: 2 } dim { size: 1 } } string_val: ["a", "b"]')
SCALAR = proto("dtype: DT_INT64 tensor_shape { } int64_val: 7")


@pytest.mark.parametrize(
    ("outputs", "rows", "expected"),
    [
        ({"y": ONE}, True, {"predictions": [1.5, 2.0]}),
        ({"y": ONE}, False, {"outputs": [1.5, 2.0]}),
        ({"y": ONE, "z": TWO}, True, {"predictions": [{"y": 1.5, "z": ["a"]}, {"y": 2.0, "z": ["b"]}]}),
        ({"y": ONE, "z": TWO}, False, {"outputs": {"y": [1.5, 2.0], "z": [["a"], ["b"]]}}),
        ({"z_bytes": TWO}, True, {"predictions": [[{"b64": "YQ=="}], [{"b64": "Yg=="}]]}),
        ({"n": SCALAR}, False, {"outputs": 7}),
        ({"y": proto("dtype: DT_FLOAT tensor_shape { dim { size: 0 } }")}, True, {"predictions": []}),
    ],
)
def test_a_response_has_rows_or_columns_like_its_request(outputs: Any, rows: bool, expected: dict[str, Any]) -> None:
    assert expected == predictions(outputs, rows=rows)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"n": SCALAR}, "Tensor name: n has no shape information "),
        (
            {"y": ONE, "z": proto("dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 1")},
            "Tensor name: z has inconsistent batch size: 1 expecting: 2",
        ),
    ],
)
def test_outputs_with_different_numbers_of_rows_are_refused(outputs: Any, message: str) -> None:
    with pytest.raises(ServingError) as caught:
        predictions(outputs, rows=True)
    assert message == caught.value.message


def test_classifications_are_pairs_of_label_and_score() -> None:
    result = text_format.Parse(
        'classifications { classes { label: "positive" score: 0.2 } classes { score: 1 } } classifications { }',
        classification_pb2.ClassificationResult(),
    )
    assert written(classifications(result)) == b'{"results": [[["positive", 0.2], ["", 1.0]], []]}'


def test_regressions_are_numbers() -> None:
    result = text_format.Parse("regressions { value: 0.1 } regressions { value: 3 }", regression_pb2.RegressionResult())
    assert written(regressions(result)) == b'{"results": [0.1, 3.0]}'


def test_status_includes_fields_with_default_values() -> None:
    response = text_format.Parse(
        "model_version_status { version: 123 state: AVAILABLE status { } } "
        'model_version_status { version: 9 state: END status { error_code: NOT_FOUND error_message: "gone" } }',
        get_model_status_pb2.GetModelStatusResponse(),
    )
    assert model_status(response) == {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
            {"version": "9", "state": "END", "status": {"error_code": "NOT_FOUND", "error_message": "gone"}},
        ]
    }


def test_metadata_unpacks_the_signatures() -> None:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signatures.signature_def["serving_default"].inputs["x"].name = "x:0"
    signatures.signature_def["serving_default"].inputs["x"].dtype = 1
    response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec={"name": "m", "version": {"value": 1}})
    response.metadata["signature_def"].Pack(signatures)
    body = json.loads(written(model_metadata(response)))
    assert body["model_spec"] == {"name": "m", "signature_name": "", "version": "1"}
    x = body["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["x"]
    assert (x["dtype"], x["name"]) == ("DT_FLOAT", "x:0")


def test_text_is_not_escaped() -> None:
    assert '{"error": "né \U0001f3ac"}'.encode() == written({"error": "né \U0001f3ac"})

from pathlib import Path

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.anomaly_gate.component import AnomalyGate
from imdb_core.errors import BadDataError
from pipeline.workspace.places import REVIEW_SCHEMA

CLEAN = {
    "text": ["Good.", "Bad.", "Fine."],
    "label": [1, 0, 1],
    "id": ["a", "b", "c"],
    "length_bucket": ["001-050", "051-100", "401+"],
}


@pytest.fixture(scope="module")
def schema() -> schema_pb2.Schema:
    return text_format.Parse(REVIEW_SCHEMA.read_text(), schema_pb2.Schema())


def validate(schema: schema_pb2.Schema, **changed: list[object]) -> anomalies_pb2.Anomalies:
    """Validates CLEAN with changes, as ExampleValidator does; None removes a feature."""
    features = {name: values for name, values in {**CLEAN, **changed}.items() if values is not None}
    statistics: statistics_pb2.DatasetFeatureStatisticsList = tfdv.generate_statistics_from_dataframe(
        pd.DataFrame(features)
    )
    return tfdv.validate_statistics(statistics, schema)


@pytest.fixture
def run_gate(tmp_path):
    """Runs the node's real executor on anomalies in the files of ExampleValidator."""

    def run(**splits: anomalies_pb2.Anomalies) -> None:
        artifact = standard_artifacts.ExampleAnomalies()
        artifact.uri = str(tmp_path)
        artifact.split_names = artifact_utils.encode_split_names(list(splits))
        for split, found in splits.items():
            folder = Path(artifact_utils.get_split_uri([artifact], split))
            folder.mkdir()
            (folder / "SchemaDiff.pb").write_bytes(found.SerializeToString())
        executor = AnomalyGate.EXECUTOR_SPEC.executor_class()
        executor.Do({"anomalies": [artifact]}, {}, {"code_digest": "any"})

    return run


def test_clean_data_passes(run_gate, schema):
    run_gate(train=validate(schema), eval=validate(schema, rating=[1, 10, 7]), test=validate(schema))


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"label": [1, 7, 0]}, ["label: ", "7"]),
        ({"text": None}, ["text: column dropped: ", "completely missing"]),
        ({"text": ["Good.", None, "Fine."]}, ["text: ", "present in fewer examples than expected"]),
        ({"length_bucket": ["001-050", "huge", "huge"]}, ["length_bucket: unexpected string values: ", "huge"]),
        ({"rating": [1, 11, 5]}, ["rating: ", "11"]),
        ({"stars": [1, 2, 3]}, ["stars: new column: "]),
    ],
    ids=["label", "no text", "missing text", "bucket", "rating", "new column"],
)
def test_data_that_does_not_fit_is_refused_with_split_feature_and_reason(run_gate, schema, changed, parts):
    with pytest.raises(BadDataError) as caught:
        run_gate(train=validate(schema), test=validate(schema, **changed))
    message = str(caught.value)
    assert message.startswith("the data does not fit schemas/review.pbtxt, so nothing was trained; correct the data")
    assert "test: " in message
    assert "train: " not in message
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_all_anomalies_of_all_splits_are_reported(run_gate, schema):
    with pytest.raises(BadDataError) as caught:
        run_gate(train=validate(schema, label=[1, 7, 0], length_bucket=["?", "?", "?"]), eval=validate(schema, id=None))
    message = str(caught.value)
    places = [message.index(part) for part in ("train: label: ", "train: length_bucket: ", "eval: id: ")]
    assert places == sorted(places)


def test_an_anomaly_of_the_whole_dataset_is_reported(run_gate):
    report = anomalies_pb2.Anomalies()
    report.dataset_anomaly_info.description = "There are fewer examples than the schema asks for."
    with pytest.raises(BadDataError, match="train: the dataset: There are fewer examples"):
        run_gate(train=report)

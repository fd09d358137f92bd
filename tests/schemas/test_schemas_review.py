from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from imdb_core import features

SCHEMA = tfdv.load_schema_text(str(Path(__file__).parents[2] / "schemas" / "review.pbtxt"))
ROWS = [
    {"text": "Good.", "label": 1, "id": "a", "length_bucket": "001-050", "rating": 10},
    {"text": "", "label": 0, "id": "b", "length_bucket": "401+", "rating": 1},
]


def anomalies(rows: list[dict[str, Any]]) -> dict[str, str]:
    statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame(rows), n_jobs=1)
    found = tfdv.validate_statistics(statistics, SCHEMA)
    assert not found.HasField("dataset_anomaly_info")
    return {feature: info.short_description for feature, info in found.anomaly_info.items()}


def test_examples_as_the_ingest_writes_them_have_no_anomaly() -> None:
    assert anomalies(ROWS) == {}
    assert anomalies([{key: value for key, value in row.items() if key != "rating"} for row in ROWS]) == {}


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("label", 2),
        ("label", -1),
        ("rating", 0),
        ("rating", 11),
        ("length_bucket", "long"),
        ("text", None),
    ],
)
def test_a_value_out_of_the_domain_is_an_anomaly_of_its_feature(feature: str, value: Any) -> None:
    assert set(anomalies([*ROWS, {**ROWS[0], feature: value}])) == {feature}


def test_a_text_of_another_type_is_an_anomaly() -> None:
    assert set(anomalies([{**row, "text": 5} for row in ROWS])) == {"text"}


@pytest.mark.parametrize("feature", ["text", "label", "id", "length_bucket"])
def test_a_missing_feature_is_an_anomaly(feature: str) -> None:
    assert set(anomalies([{key: value for key, value in row.items() if key != feature} for row in ROWS])) == {feature}


def test_length_buckets_are_those_that_ingest_writes() -> None:
    written = [name for _, name in features.LENGTH_BUCKETS] + [features.LONGEST_BUCKET]
    assert list(tfdv.get_domain(SCHEMA, "length_bucket").value) == written

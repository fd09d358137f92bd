from collections import defaultdict

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from components.evaluator import eval_config
from components.evaluator.extractors import custom_extractors, group_reviews
from imdb_core.settings import EvaluationSettings

RATINGS = st.one_of(st.none(), st.integers(1, 10))
ROWS = st.lists(st.tuples(st.sampled_from([b"001-050", b"401+"]), RATINGS, st.integers(0, 1)), min_size=1, max_size=30)


def var_len(values: list[int | None]) -> tfma.types.VarLenTensorValue:
    """Makes the value that TFMA reads for a feature that some examples lack."""
    rows = [[] if value is None else [value] for value in values]
    indices = [[row, 0] for row, value in enumerate(rows) if value]
    return tfma.types.VarLenTensorValue(
        values=np.array([value for row in rows for value in row], np.int64),
        indices=np.reshape(np.array(indices, np.int64), (-1, 2)),
        dense_shape=np.array([len(rows), 1]),
    )


def batch_of(rows) -> dict:
    buckets, ratings, labels = zip(*rows, strict=True)
    return {
        "features": {
            "length_bucket": np.array([[bucket] for bucket in buckets], object),
            "rating": var_len(ratings),
            "unused": np.zeros([len(rows), 1]),
        },
        "labels": np.array([[label] for label in labels]),
        # The predictions identify each review by its number.
        "predictions": np.array([[-number, number] for number in range(len(rows))], np.float32),
    }


@given(ROWS.filter(lambda rows: any(rating is not None for _, rating, _ in rows)))
def test_reviews_of_the_same_slices_are_one_group_and_nothing_is_lost(rows):
    expected = defaultdict(list)
    for number, (bucket, rating, label) in enumerate(rows):
        expected[bucket, rating].append((label, number))
    groups = {}
    for group in group_reviews(batch_of(rows), ["length_bucket", "rating"]):
        assert set(group["features"]) <= {"length_bucket", "rating"}
        (bucket,) = group["features"]["length_bucket"]
        (rating,) = group["features"].get("rating", [None])
        members = zip(group["labels"][:, 0], group["predictions"][:, 1], strict=True)
        groups[bucket, rating] = [(label, number) for label, number in members]
    assert groups == expected


def test_without_slices_a_batch_is_one_group():
    batch = batch_of([(b"401+", 1, 0), (b"001-050", None, 1)])
    (group,) = group_reviews(batch, [])
    assert group["features"] == {}
    np.testing.assert_array_equal(batch["labels"], group["labels"])
    np.testing.assert_array_equal(batch["predictions"], group["predictions"])


def test_a_feature_that_a_whole_batch_lacks_is_in_no_group():
    batch = batch_of([(b"401+", 1, 0), (b"401+", 2, 1)])
    del batch["features"]["rating"]
    (group,) = group_reviews(batch, ["length_bucket", "rating"])
    assert set(group["features"]) == {"length_bucket"}


def test_two_models_stay_apart():
    batch = batch_of([(b"401+", 1, 0), (b"001-050", 1, 1)])
    labels, predictions = batch["labels"], batch["predictions"]
    batch["labels"] = {"candidate": labels, "baseline": labels}
    batch["predictions"] = {"candidate": predictions, "baseline": -predictions}
    first, second = group_reviews(batch, ["length_bucket"])
    np.testing.assert_array_equal([[0]], first["labels"]["baseline"])
    np.testing.assert_array_equal([[1]], second["labels"]["candidate"])
    np.testing.assert_array_equal([[-1, 1]], second["predictions"]["candidate"])
    np.testing.assert_array_equal([[1, -1]], second["predictions"]["baseline"])


@pytest.mark.parametrize("ratings", [[[3], None, [4]], [None, None, [4]], [[3], [3], [4]]])
def test_all_extractors_together_give_groups_with_slice_keys(ratings):
    config = eval_config.modes_config(EvaluationSettings())
    columns = {
        "label": [[1], [0], [1]],
        "length_bucket": [[b"401+"]] * 3,
        "rating": ratings,
        "candidate": [[0.25, 0.75]] * 3,
        "baseline": [[0.5, 0.5]] * 3,
    }
    batch = pa.RecordBatch.from_pydict(columns)
    expected = {(("length_bucket", "401+"), *(("rating", rating) for rating in row or [])) for row in ratings}

    def check(groups):
        found = set()
        for group in groups:
            keys = {pair for key in group[tfma.SLICE_KEY_TYPES_KEY] for pair in key}
            found.add(tuple(sorted(keys)))
            assert group["predictions"]["candidate"].tolist()[0] == [0.25, 0.75]
        assert found == expected
        assert sum(len(group["labels"]["baseline"]) for group in groups) == 3

    with beam.Pipeline() as pipeline:
        extracts = pipeline | beam.Create([{tfma.ARROW_RECORD_BATCH_KEY: batch}])
        for extractor in custom_extractors(eval_config=config, eval_shared_model=None, tensor_adapter_config=None):
            extracts |= extractor.stage_name >> extractor.ptransform
        assert_that(extracts, check)

import numpy as np
import pytest

from components.predictions.reading import ModePredictions, read_predictions
from imdb_core.examples import Example


def written(number: int, label: int, bucket: str | None, rating: int | None, *, scalar: float, vector: float):
    """Returns the features of a review as node Predictions writes them."""
    features = Example().features.feature
    features["id"].bytes_list.value.append(b"test/%d" % number)
    features["label"].int64_list.value.append(label)
    if bucket is not None:
        features["length_bucket"].bytes_list.value.append(bucket.encode())
    if rating is not None:
        features["rating"].int64_list.value.append(rating)
    features["baseline"].float_list.value.extend([1 - scalar, scalar])
    features["candidate"].float_list.value.extend([1 - vector, vector])
    return features


@pytest.fixture
def predictions() -> ModePredictions:
    return read_predictions(
        [
            written(7, 1, "401+", 10, scalar=0.25, vector=0.75),
            written(3, 0, "001-050", 4, scalar=0.5, vector=0.625),
            written(5, 1, None, None, scalar=0.875, vector=1.0),
        ]
    )


def test_columns_are_in_the_order_of_the_examples(predictions):
    assert predictions.ids.tolist() == [b"test/7", b"test/3", b"test/5"]
    assert predictions.labels.tolist() == [True, False, True]
    assert predictions.ratings == [10, 4, None]
    assert predictions.length_buckets == ["401+", "001-050", ""]
    assert {mode: positive.tolist() for mode, positive in predictions.positive.items()} == {
        "scalar": [0.25, 0.5, 0.875],
        "vector": [0.75, 0.625, 1.0],
    }


def test_a_probability_of_a_half_predicts_the_negative_class(predictions):
    assert predictions.right("scalar").tolist() == [False, True, True]
    assert predictions.right("vector").tolist() == [True, False, True]


def test_slices_sort_by_size_and_are_empty_without_a_value(predictions):
    assert predictions.slices["rating"].tolist() == ["10", "04", ""]
    assert predictions.slices["length_bucket"].tolist() == ["401+", "001-050", ""]


def test_no_examples_give_empty_columns():
    empty = read_predictions([])
    assert len(empty.labels) == len(empty.ids) == len(empty.ratings) == 0
    assert empty.positive["scalar"].dtype == np.float64

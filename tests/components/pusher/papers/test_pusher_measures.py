import math

import pytest
from saved_models import PREDICTIONS

from components.predictions.reading import read_predictions
from components.pusher.papers.measures import measure
from imdb_core.examples import Example
from imdb_core.stats.intervals import wilson


@pytest.fixture
def predictions():
    return read_predictions(Example.FromString(record).features.feature for record in PREDICTIONS)


def test_the_metrics_of_the_mode_have_intervals(predictions):
    measures = measure(predictions, "vector", 0.9)
    assert (measures.reviews, measures.confidence) == (3, 0.9)
    accuracy, auc, log_loss = measures.metrics
    assert (accuracy.name, auc.name, log_loss.name) == ("accuracy", "AUC", "log loss")
    assert accuracy.estimate == wilson(2, 3, 0.9)
    # The positive review has the highest probability.
    assert auc.estimate.value == 1
    # Probabilities of the true class: 0.75, 0.875, 0.375.
    expected = -(math.log(0.75) + math.log(0.875) + math.log(0.375)) / 3
    assert log_loss.estimate.value == pytest.approx(expected, abs=1e-7)
    assert log_loss.estimate.low < expected < log_loss.estimate.high


def test_the_accuracy_of_each_mode_is_by_length_and_rating(predictions):
    def by_group(mode):
        return {
            title: [(group.name, group.right, group.reviews) for group in groups]
            for title, groups in measure(predictions, mode, 0.9).slices.items()
        }

    assert by_group("vector") == {
        "words in the review": [("001-050", 2, 2), ("401+", 0, 1)],
        "rating in stars": [("02", 1, 1), ("09", 1, 1)],
    }
    assert by_group("scalar")["words in the review"] == [("001-050", 0, 2), ("401+", 1, 1)]


def test_a_source_without_ratings_has_no_such_slice():
    examples = [Example.FromString(record).features.feature for record in PREDICTIONS[2:]]
    measures = measure(read_predictions(examples), "scalar", 0.9)
    assert list(measures.slices) == ["words in the review"]

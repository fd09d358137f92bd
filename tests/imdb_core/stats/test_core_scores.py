import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from imdb_core.stats.scores import (
    accuracy_values,
    auc_values,
    calibration_bins,
    calibration_error,
    is_right,
    log_losses,
    placements,
)

PROBABILITIES = st.sampled_from([0.0, 0.1, 0.25, 0.5, np.nextafter(0.5, 1), 0.7, 0.9, 1.0]) | st.floats(0, 1)
ROWS = st.lists(st.tuples(st.booleans(), PROBABILITIES), min_size=1, max_size=30)
BOTH_CLASSES = ROWS.filter(lambda rows: 0 < sum(label for label, _ in rows) < len(rows))
KINDS = st.sampled_from([bool, np.int8, np.int64])


def arrays(rows, kind):
    labels, positive = zip(*rows, strict=True)
    return np.array(labels, kind), np.array(positive)


@given(ROWS, KINDS)
def test_a_prediction_is_right_as_argmax_over_two_classes_is(rows, kind):
    labels, positive = arrays(rows, kind)
    # argmax takes the first, negative, of two equal probabilities.
    expected = [(1 if row > 0.5 else 0) == label for label, row in rows]
    assert is_right(labels, positive).tolist() == expected
    assert accuracy_values(labels, positive).mean() == pytest.approx(metrics.accuracy_score(labels, positive > 0.5))


@given(ROWS, KINDS)
def test_the_mean_of_log_losses_is_scikit_learns(rows, kind):
    labels, positive = arrays(rows, kind)
    expected = metrics.log_loss(labels, positive, labels=[0, 1])
    assert log_losses(labels, positive).mean() == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_log_losses_by_hand():
    losses = log_losses(np.array([1, 0, 1, 0]), np.array([0.5, 0.75, 0.0, 0.0]))
    epsilon = 2.0**-52
    assert losses.tolist() == pytest.approx([np.log(2), np.log(4), 52 * np.log(2), epsilon], rel=1e-12)


@given(BOTH_CLASSES, KINDS)
def test_placements_are_shares_of_pairs_in_plain_python(rows, kind):
    above = [score for label, score in rows if label]
    below = [score for label, score in rows if not label]

    def won(high, low):
        return (high > low) + 0.5 * (high == low)

    found = placements(*arrays(rows, kind))
    assert found[0].tolist() == pytest.approx([sum(won(high, low) for low in below) / len(below) for high in above])
    assert found[1].tolist() == pytest.approx([sum(won(high, low) for high in above) / len(above) for low in below])


def test_placements_and_auc_values_by_hand():
    # Positives 0.9 and 0.4, negatives 0.4 and 0.1: of four pairs, three are ranked correctly and one is a tie.
    labels, scores = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1])
    found = placements(labels, scores)
    assert [part.tolist() for part in found] == [[1, 0.75], [0.75, 1]]
    # Each is twice as far from 0.875, as half of the reviews belong to either class.
    np.testing.assert_allclose(auc_values(labels, scores[None]), [[1.125, 0.625, 0.625, 1.125]])


@given(BOTH_CLASSES, KINDS)
def test_the_mean_of_auc_values_is_scikit_learns_auc(rows, kind):
    labels, scores = arrays(rows, kind)
    found = auc_values(labels, np.stack([scores, 1 - scores]))
    assert found.shape == (2, len(rows))
    assert found[0].mean() == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert found[1].mean() == pytest.approx(metrics.roc_auc_score(labels, 1 - scores))


def test_several_trainings_are_measured_row_by_row():
    random = np.random.default_rng(3)
    labels, positive = random.integers(0, 2, 50), random.random((4, 50))
    for measure in (is_right, accuracy_values, log_losses):
        assert measure(labels, positive).tolist() == [measure(labels, row).tolist() for row in positive]


def test_bins_include_their_lower_end_and_the_last_one_includes_1():
    positive = np.array([0.0, 0.05, 0.1, 0.25, 0.5, 0.95, 1.0])
    assert calibration_bins(positive).tolist() == [0, 0, 1, 2, 5, 9, 9]


def test_the_calibration_error_by_hand():
    # Bin 0: probability 0.05, share 1/2; bin 9: probability 1, share 1; 0.45 of 2 reviews, 0 of 2.
    labels, positive = np.array([0, 1, 1, 1]), np.array([0.02, 0.08, 1.0, 1.0])
    assert calibration_error(labels, positive) == pytest.approx(0.45 * 2 / 4)


@given(ROWS, KINDS)
def test_the_calibration_error_is_the_weighted_gap_of_the_bins_in_plain_python(rows, kind):
    bins = {}
    for label, probability in rows:
        bins.setdefault(min(int(probability * 10), 9), []).append((label, probability))
    expected = 0.0
    for inside in bins.values():
        share = sum(label for label, _ in inside) / len(inside)
        predicted = sum(probability for _, probability in inside) / len(inside)
        expected += len(inside) / len(rows) * abs(predicted - share)
    assert calibration_error(*arrays(rows, kind)) == pytest.approx(expected, abs=1e-12)


def test_the_rarer_class_weighs_more_in_auc_values_by_hand():
    # One positive of four is ranked above two of three negatives: area 2/3, classes of 1/4 and 3/4.
    values = auc_values(np.array([1, 0, 0, 0]), np.array([[0.6, 0.1, 0.2, 0.9]]))
    area = 2 / 3
    expected = [area, area + (1 - area) / 0.75, area + (1 - area) / 0.75, area + (0 - area) / 0.75]
    np.testing.assert_allclose(values, [expected])
    assert values.mean() == pytest.approx(area)


def test_values_of_reviews_are_float64_whatever_the_probabilities_are():
    labels, positive = np.array([1, 0]), np.array([0.75, 0.25], np.float32)
    assert accuracy_values(labels, positive).dtype == np.float64


def test_a_certain_and_right_prediction_loses_as_much_as_scikit_learn_says():
    losses = log_losses(np.array([1, 0]), np.array([1.0, 0.0]))
    eps = float(np.finfo(np.float64).eps)
    assert losses.tolist() == pytest.approx([-math.log(1 - eps)] * 2, rel=1e-12)
    assert losses[0] > 0


def test_the_rarer_class_weighs_more_when_it_is_the_positive_one_by_hand():
    # Two positives of six, above all and above two of four negatives: placements 1 and 1/2, area 3/4.
    labels, scores = np.array([1, 1, 0, 0, 0, 0]), np.array([[0.9, 0.5, 0.1, 0.2, 0.6, 0.7]])
    values = auc_values(labels, scores)[0]
    np.testing.assert_allclose(values[:2], [0.75 + 0.25 * 3, 0.75 - 0.25 * 3])
    np.testing.assert_allclose(values[2:], [0.75 + 0.25 * 1.5] * 2 + [0.75 - 0.25 * 1.5] * 2)

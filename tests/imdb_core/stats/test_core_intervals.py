import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from imdb_core.stats import intervals

some_scores = st.lists(
    st.tuples(st.booleans(), st.integers(0, 5).map(lambda tenth: tenth / 5)), min_size=4, max_size=30
).filter(lambda rows: 2 <= sum(label for label, _ in rows) <= len(rows) - 2)


def arrays(rows):
    labels, scores = zip(*rows, strict=True)
    return np.array(labels), np.array(scores)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (881, 1000)])
def test_wilsons_interval_is_scipys(successes, trials):
    found = intervals.wilson(successes, trials, 0.95)
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert found.value == successes / trials
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.integers(1, 2000), st.data())
def test_wilsons_interval_solves_its_equation_and_contains_the_share(trials, data):
    successes = data.draw(st.integers(0, trials))
    found = intervals.wilson(successes, trials, 0.95)
    assert 0 <= found.low <= found.value <= found.high <= 1
    for end in (found.low, found.high):
        # At both ends the score test is at its critical value.
        assert (found.value - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / trials, rel=1e-5, abs=1e-12)


def test_wilson_by_hand():
    # z = 1.96: middle (0.5 + 1.9207/10) / (1 + 3.8415/10), half 1.96 / 1.38415 * sqrt(0.25/10 + 3.8415/400).
    found = intervals.wilson(5, 10, 0.95)
    assert (found.low, found.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_no_trials_give_nan_between_0_and_1():
    found = intervals.wilson(0, 0, 0.95)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0.0, 1.0)


@given(some_scores)
def test_auc_is_scikit_learns_with_ties(rows):
    labels, scores = arrays(rows)
    assert intervals.auc(labels, scores, 0.95).value == pytest.approx(metrics.roc_auc_score(labels, scores))


@given(some_scores)
def test_the_interval_of_auc_is_delongs_by_pairs_in_plain_python(rows):
    labels, scores = arrays(rows)
    positive, negative = scores[labels], scores[~labels]
    wins = [[(a > b) + 0.5 * (a == b) for b in negative] for a in positive]
    above = [sum(row) / len(row) for row in wins]
    below = [sum(column) / len(column) for column in zip(*wins, strict=True)]
    variance = np.var(above, ddof=1) / len(above) + np.var(below, ddof=1) / len(below)
    area, half = sum(above) / len(above), 1.959964 * math.sqrt(variance)
    found = intervals.auc(labels, scores, 0.95)
    assert found.low == pytest.approx(max(area - half, 0), abs=1e-6)
    assert found.high == pytest.approx(min(area + half, 1), abs=1e-6)


@given(some_scores)
def test_a_model_differs_from_itself_by_nothing(rows):
    labels, scores = arrays(rows)
    found = intervals.auc_difference(labels, scores, scores, 0.95)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_difference_of_areas_is_candidate_minus_baseline():
    labels = np.array([True, True, False, False])
    good, bad = np.array([0.9, 0.8, 0.2, 0.1]), np.array([0.1, 0.8, 0.2, 0.9])
    assert intervals.auc_difference(labels, bad, good, 0.95).value == 0.75


@pytest.mark.parametrize("labels", [[], [True], [False, False]])
def test_one_class_has_no_auc(labels):
    labels, scores = np.array(labels, bool), np.full(len(labels), 0.5)
    found, difference = intervals.auc(labels, scores, 0.95), intervals.auc_difference(labels, scores, scores, 0.95)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0.0, 1.0)
    assert math.isnan(difference.value)
    assert (difference.low, difference.high) == (-1.0, 1.0)


@given(some_scores, st.randoms(use_true_random=False))
def test_the_interval_of_an_area_difference_is_delongs_by_pairs_in_plain_python(rows, random):
    labels, candidate = arrays(rows)
    baseline = np.array([random.randrange(6) / 5 for _ in rows])

    def wins(scores):
        return np.array([[(a > b) + 0.5 * (a == b) for b in scores[~labels]] for a in scores[labels]])

    gap = wins(candidate) - wins(baseline)
    above, below = gap.mean(axis=1), gap.mean(axis=0)
    half = 1.959964 * math.sqrt(np.var(above, ddof=1) / len(above) + np.var(below, ddof=1) / len(below))
    found = intervals.auc_difference(labels, baseline, candidate, 0.95)
    assert found.value == pytest.approx(gap.mean(), abs=1e-12)
    assert found.low == pytest.approx(max(gap.mean() - half, -1), abs=1e-6)
    assert found.high == pytest.approx(min(gap.mean() + half, 1), abs=1e-6)


def test_the_interval_of_a_mean_by_hand():
    # Mean 2, variance 1, so 1.96 / sqrt(3) on either side.
    found = intervals.mean(np.array([1.0, 2.0, 3.0]), 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((2, 2 - 1.1316, 2 + 1.1316), abs=1e-4)
    assert math.isnan(intervals.mean(np.array([1.0]), 0.95).low)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.99])
def test_wilsons_interval_is_scipys_at_any_confidence(confidence):
    found = intervals.wilson(3, 10, confidence)
    expected = stats.binomtest(3, 10).proportion_ci(confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_of_a_mean_of_two_and_of_other_spreads_by_hand():
    # Standard deviations: of 1 and 3 it is the root of 2, of 0, 4, 8 it is 4.
    found = intervals.mean(np.array([1.0, 3.0]), 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((2, 2 - 1.959964, 2 + 1.959964), abs=1e-6)
    found = intervals.mean(np.array([0.0, 4.0, 8.0]), 0.95)
    half = 1.959964 * 4 / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx((4, 4 - half, 4 + half), abs=1e-5)


def test_one_value_has_a_mean_without_an_interval_and_none_has_neither():
    one, none = intervals.mean(np.array([0.25]), 0.95), intervals.mean(np.array([]), 0.95)
    assert one.value == 0.25
    assert all(math.isnan(value) for value in (one.low, one.high, none.value, none.low, none.high))


def test_a_single_review_of_a_class_adds_no_variance_to_auc():
    found = intervals.auc(np.array([True, False, False]), np.array([0.5, 0.2, 0.8]), 0.95)
    # Above one of two negatives, whose placements 1 and 0 have the variance 1/2; half an interval is 1.96 / 2.
    assert found.value == 0.5
    assert (found.low, found.high) == (0.0, 1.0)
    found = intervals.auc(np.array([True, False, False]), np.array([0.9, 0.2, 0.8]), 0.95)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)

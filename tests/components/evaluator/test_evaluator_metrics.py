import math

import metrics_oracle
import numpy as np
import pytest
from hypothesis import given
from metrics_oracle import REVIEWS
from sklearn.exceptions import UndefinedMetricWarning

from components.evaluator import metrics
from components.evaluator.metrics import paired_metrics, single_model_metrics

LABELS = np.array([0, 0, 1, 1, 1, 0])
CANDIDATE = np.array([0.1, 0.6, 0.8, 0.5, 0.95, 0.2])
BASELINE = np.array([0.4, 0.3, 0.9, 0.7, 0.45, 0.8])


def test_one_model_by_hand():
    measured = single_model_metrics(LABELS, CANDIDATE)
    assert tuple(measured) == metrics.SINGLE_MODEL
    assert measured["example_count"] == 6
    # 0.5 is not a majority, so the prediction for the fourth review is negative.
    counts = [
        measured[f"{name}"] for name in ("true_positives", "true_negatives", "false_positives", "false_negatives")
    ]
    assert counts == [2, 2, 1, 1]
    assert measured["accuracy"] == pytest.approx(4 / 6)
    # Of the 9 pairs of a positive and a negative only (0.5, 0.6) is ranked incorrectly.
    assert measured["auc"] == pytest.approx(8 / 9)
    losses = [math.log(p) for p in (0.9, 0.4, 0.8, 0.5, 0.95, 0.8)]
    assert measured["log_loss"] == pytest.approx(-sum(losses) / 6)
    assert measured["calibration"] == pytest.approx(3.15 / 3)
    # Each review is in a bin of its own.
    assert measured["expected_calibration_error"] == pytest.approx((0.1 + 0.6 + 0.2 + 0.5 + 0.05 + 0.2) / 6)


def test_two_models_by_hand():
    measured = paired_metrics(LABELS, BASELINE, CANDIDATE)
    assert set(measured) == set(metrics.PAIRED)
    # right: baseline 1 1 1 1 0 0, candidate 1 0 1 0 1 1
    assert measured == {
        "both_right": 2,
        "only_baseline_right": 2,
        "only_candidate_right": 2,
        "both_wrong": 0,
        "flip_rate": pytest.approx(4 / 6),
    }


@pytest.mark.parametrize("label", [0, 1])
def test_a_slice_of_one_class_has_no_auc_but_all_other_metrics(label, recwarn):
    labels = np.full(3, label)
    measured = single_model_metrics(labels, np.array([0.2, 0.6, 0.7]))
    assert math.isnan(measured["auc"])
    assert math.isnan(measured["calibration"]) == (label == 0)
    assert measured["accuracy"] == pytest.approx((2 if label else 1) / 3)
    assert measured["log_loss"] == pytest.approx(metrics_oracle.single_model(labels, [0.2, 0.6, 0.7])["log_loss"])
    assert not [warning for warning in recwarn if warning.category is UndefinedMetricWarning]


def test_the_log_loss_of_a_sure_and_wrong_model_is_finite():
    measured = single_model_metrics(np.array([0, 1]), np.array([1.0, 0.0]))
    assert 30 < measured["log_loss"] < 40
    assert measured["expected_calibration_error"] == 1.0


def test_a_coin_has_an_accuracy_and_an_auc_of_a_half():
    measured = single_model_metrics(np.array([0, 1, 0, 1]), np.full(4, 0.5))
    assert (measured["accuracy"], measured["auc"]) == (0.5, 0.5)
    assert measured["log_loss"] == pytest.approx(math.log(2))
    assert measured["expected_calibration_error"] == 0.0


@given(REVIEWS)
def test_all_metrics_agree_with_their_definitions(reviews):
    labels, baseline, candidate = (list(column) for column in zip(*reviews, strict=True))
    measured = single_model_metrics(np.array(labels), np.array(candidate))
    expected = metrics_oracle.single_model(labels, candidate)
    assert measured == pytest.approx(expected, nan_ok=True, abs=1e-9)
    compared = paired_metrics(np.array(labels), np.array(baseline), np.array(candidate))
    assert compared == pytest.approx(metrics_oracle.paired(labels, baseline, candidate))
    by_name = {**expected, **compared}
    assert (
        by_name["both_right"] + by_name["only_candidate_right"] == by_name["true_positives"] + by_name["true_negatives"]
    )

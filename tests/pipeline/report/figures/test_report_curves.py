import numpy as np
import pytest
from sklearn import metrics

from pipeline.report.figures import curves


@pytest.fixture
def many():
    random = np.random.default_rng(1)
    labels = random.random(5000) < 0.4
    return labels, np.clip(random.normal(0.3 + 0.3 * labels, 0.2), 0, 1)


def test_roc_by_hand():
    rates = curves.roc(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.8, 0.1]))
    np.testing.assert_allclose(rates, [[0, 0, 0.5, 1], [0, 0.5, 1, 1]])


def test_precision_and_recall_by_hand():
    found = curves.precision_recall(np.array([True, False, True]), np.array([0.9, 0.8, 0.1]))
    np.testing.assert_allclose(found, [[0.5, 0.5, 1], [1, 0.5, 2 / 3]])


def test_thinned_curves_keep_ends_and_area(many):
    false, true = curves.roc(*many)
    assert len(false) < 400
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert metrics.auc(false, true) == pytest.approx(metrics.roc_auc_score(*many), abs=1e-3)
    recall, precision = curves.precision_recall(*many)
    assert len(recall) < 400
    whole_precision, whole_recall, _ = metrics.precision_recall_curve(*many)
    # All but scikit-learn's own point of no recall.
    whole = metrics.auc(whole_recall[:-1], whole_precision[:-1])
    assert metrics.auc(recall, precision) == pytest.approx(whole, abs=2e-3)


def test_reliability_by_hand():
    labels, positive = np.array([False, True, True]), np.array([0.05, 0.07, 1.0])
    low, high = curves.reliability(labels, positive, 0.95)
    assert (low.reviews, low.predicted, low.positive.value) == pytest.approx((2, 0.06, 0.5))
    assert (high.reviews, high.predicted, high.positive.value) == (1, 1, 1)

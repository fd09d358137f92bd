"""Measures of predicted probabilities against labels, for each review where the measure allows it.

Labels are bool or int (0 or 1), `[n]`. Probabilities are of the positive class, float64, `[n]`; a function whose
probabilities are `[..., n]` also takes those of several trainings at once. Higher scores mean positive; a function of
scores requires labels of both classes.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from imdb_core.features import DECISION_THRESHOLD, POSITIVE

FloatArray = npt.NDArray[np.float64]

CALIBRATION_BINS: Final = 10
_EPSILON: Final = float(np.finfo(np.float64).eps)


def is_right(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Returns whether each prediction is right, bool `[..., n]`; it is positive above `DECISION_THRESHOLD`."""
    return np.asarray((positive > DECISION_THRESHOLD) == (labels == POSITIVE))


def accuracy_values(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> FloatArray:
    """Returns 1 for each prediction that is right and 0 for each that is wrong, float64 `[..., n]`."""
    return is_right(labels, positive).astype(np.float64)


def log_losses(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> FloatArray:
    """Returns minus the logarithm of each true class's probability, float64 `[..., n]`.

    Probabilities are clipped to [eps, 1 - eps], as scikit-learn's `log_loss` clips float64.
    """
    true = np.where(labels == POSITIVE, positive, 1 - positive)
    return np.asarray(-np.log(np.clip(true, _EPSILON, 1 - _EPSILON)))


def placements(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Returns the share of the other class that each review is ranked correctly against; a tie counts half.

    The mean of either result is the area under the ROC curve. DeLong, DeLong and Clarke-Pearson, "Comparing the areas
    under two or more correlated receiver operating characteristic curves", Biometrics 44, 1988; computed from ranks as
    in Sun and Xu, IEEE Signal Processing Letters 21, 2014.

    Returns:
        float64 `[positives]`, the share of negatives below each positive; and float64 `[negatives]`, the share of
        positives above each negative.
    """
    is_positive = labels == POSITIVE
    positive, negative = scores[is_positive], scores[~is_positive]
    ranks = stats.rankdata(scores)
    below = (ranks[is_positive] - stats.rankdata(positive)) / len(negative)
    above = 1 - (ranks[~is_positive] - stats.rankdata(negative)) / len(positive)
    return below, above


def auc_values(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> FloatArray:
    """Returns a value for each of the scores `[trainings, n]`; the mean of a row is that training's AUC.

    A value is the AUC plus the distance of the review's placement from it, weighted by how rare the review's class is.
    """
    return np.stack([_auc_row(labels == POSITIVE, row) for row in scores])


def _auc_row(is_positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any]) -> FloatArray:
    values = np.empty(len(scores))
    values[is_positive], values[~is_positive] = placements(is_positive, scores)
    area = values[is_positive].mean()
    shares = np.where(is_positive, is_positive.mean(), (~is_positive).mean())
    return np.asarray(area + (values - area) / shares)


def calibration_bins(positive: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Returns which of `CALIBRATION_BINS` equally wide bins each probability falls into, int64 `[n]`, 0-based.

    A bin includes its lower end; the last one also includes 1.
    """
    return np.minimum((positive * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def calibration_error(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> float:
    """Returns the expected calibration error.

    This is the mean distance between probability and share of positives over the bins of `calibration_bins`, weighted
    by the bins' sizes: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    gaps = np.bincount(calibration_bins(positive), weights=positive - (labels == POSITIVE))
    return float(np.abs(gaps).sum() / len(labels))

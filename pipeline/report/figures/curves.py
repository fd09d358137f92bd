"""Computes the points of ROC, precision-recall and reliability curves."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from imdb_core.stats.intervals import Estimate, wilson
from imdb_core.stats.scores import CALIBRATION_BINS, calibration_bins

_Array = npt.NDArray[Any]

# Maximum number of points of a curve: 25,000 would take megabytes.
_POINTS: Final = 300


@dataclass(frozen=True)
class ReliabilityBin:
    """The reviews whose probability falls into one bin."""

    reviews: int  # how many
    predicted: float  # mean probability of the positive class
    positive: Estimate  # share of positive reviews


def roc(labels: _Array, positive: _Array) -> tuple[_Array, _Array]:
    """Returns the ROC curve: false and true positive rates, float64 `[points]` each, from (0, 0) to (1, 1).

    Args:
        labels: Whether each review is positive, bool `[n]`, with both classes.
        positive: The model's scores, float `[n]`.
    """
    true, false = _counts(labels, positive)
    rates = np.r_[0.0, false / (~labels).sum()], np.r_[0.0, true / labels.sum()]
    return _thinned(*rates, along=rates[0] + rates[1])


def precision_recall(labels: _Array, positive: _Array) -> tuple[_Array, _Array]:
    """Returns the precision-recall curve: recall and precision, float64 `[points]` each, by rising recall.

    Args:
        labels: Whether each review is positive, bool `[n]`, at least one of them.
        positive: The model's scores, float `[n]`.
    """
    true, false = _counts(labels, positive)
    recall = true / labels.sum()
    return _thinned(recall, true / (true + false), along=recall)


def reliability(labels: _Array, positive: _Array, confidence: float) -> list[ReliabilityBin]:
    """Compares predicted probabilities with shares of positive reviews, in those of ten equal bins that are not empty.

    Args:
        labels: Whether each review is positive, bool `[n]`.
        positive: The probabilities of the positive class, float `[n]`.
        confidence: Confidence of the intervals, such as 0.95.
    """
    places = calibration_bins(positive)
    found = []
    for place in range(CALIBRATION_BINS):
        inside = places == place
        size = int(inside.sum())
        if size:
            share = wilson(int(labels[inside].sum()), size, confidence)
            found.append(ReliabilityBin(size, float(positive[inside].mean()), share))
    return found


def _counts(labels: _Array, positive: _Array) -> tuple[_Array, _Array]:
    """Counts true and false positives at each distinct threshold, highest first."""
    order = np.argsort(-positive, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(positive[order])), len(labels) - 1]
    true = np.cumsum(labels[order])[ends]
    return true, 1 + ends - true


def _thinned(x: _Array, y: _Array, along: _Array) -> tuple[_Array, _Array]:
    """Keeps both ends, and points at about equal steps of `along`, which never falls."""
    if len(x) <= _POINTS:
        return x, y
    kept = np.unique(np.searchsorted(along, np.linspace(along[0], along[-1], _POINTS)).clip(0, len(x) - 1))
    kept = np.unique(np.r_[0, kept, len(x) - 1])
    return x[kept], y[kept]

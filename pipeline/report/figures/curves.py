"""Curves over all thresholds, and shares by group, as points to draw."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from imdb_core.stats.intervals import Estimate, wilson
from imdb_core.stats.scores import CALIBRATION_BINS, calibration_bins

Array = npt.NDArray[Any]

# Enough for the eye; 25,000 would be megabytes.
_POINTS: Final = 300


@dataclass(frozen=True)
class Bin:
    """Reviews whose probability falls into one bin.

    Attributes:
        reviews: their number.
        predicted: their mean probability of the positive class.
        positive: share of positive ones among them.
    """

    reviews: int
    predicted: float
    positive: Estimate


def roc(labels: Array, positive: Array) -> tuple[Array, Array]:
    """The ROC curve: false and true positive rates, float `[points]` each, from (0, 0) to (1, 1).

    Args:
        labels: bool `[n]`, both classes.
        positive: float `[n]`, the model's score.
    """
    true, false = _counts(labels, positive)
    rates = np.r_[0.0, false / (~labels).sum()], np.r_[0.0, true / labels.sum()]
    return _thinned(*rates, along=rates[0] + rates[1])


def precision_recall(labels: Array, positive: Array) -> tuple[Array, Array]:
    """The precision-recall curve: recall and precision, float `[points]` each, by rising recall.

    Args:
        labels: bool `[n]`, with positives.
        positive: float `[n]`, the model's score.
    """
    true, false = _counts(labels, positive)
    recall = true / labels.sum()
    return _thinned(recall, true / (true + false), along=recall)


def reliability(labels: Array, positive: Array, confidence: float) -> list[Bin]:
    """Compares what a model says with what is, in ten equally wide bins of its probability; empty ones are left out.

    Args:
        labels: bool `[n]`.
        positive: float `[n]`, probability of the positive class.
        confidence: of the intervals.
    """
    places = calibration_bins(positive)
    found = []
    for place in range(CALIBRATION_BINS):
        inside = places == place
        size = int(inside.sum())
        if size:
            share = wilson(int(labels[inside].sum()), size, confidence)
            found.append(Bin(size, float(positive[inside].mean()), share))
    return found


def _counts(labels: Array, positive: Array) -> tuple[Array, Array]:
    """True and false positives at each distinct threshold, the highest first."""
    order = np.argsort(-positive, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(positive[order])), len(labels) - 1]
    true = np.cumsum(labels[order])[ends]
    return true, 1 + ends - true


def _thinned(x: Array, y: Array, along: Array) -> tuple[Array, Array]:
    """Keeps points at about equal steps of `along`, which does not fall, and both ends."""
    if len(x) <= _POINTS:
        return x, y
    kept = np.unique(np.searchsorted(along, np.linspace(along[0], along[-1], _POINTS)).clip(0, len(x) - 1))
    kept = np.unique(np.r_[0, kept, len(x) - 1])
    return x[kept], y[kept]

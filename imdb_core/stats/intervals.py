"""Measures with intervals, in NumPy alone."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Estimate:
    """A value and what it may be.

    Attributes:
        value: measured; NaN where it is not defined.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int, confidence: float) -> Estimate:
    """Bounds a proportion.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American Statistical
    Association 22, 1927.

    Args:
        successes: at most `trials`.
        trials: none gives NaN within 0 and 1.
        confidence: like 0.95.
    """
    if not trials:
        return Estimate(float("nan"), 0.0, 1.0)
    z, share = _quantile(confidence), successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # Rounding may put an end beyond a share of 0 or 1, where it belongs exactly.
    return Estimate(share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def mean(values: Array, confidence: float) -> Estimate:
    """Bounds a mean by the normal approximation.

    Args:
        values: float `[n]`, one a review.
        confidence: like 0.95.
    """
    if len(values) < 2:  # noqa: PLR2004 - a variance needs two
        value = float(values.mean()) if len(values) else float("nan")
        return Estimate(value, float("nan"), float("nan"))
    middle = float(values.mean())
    half = _quantile(confidence) * float(values.std(ddof=1)) / sqrt(len(values))
    return Estimate(middle, middle - half, middle + half)


def auc(labels: Array, positive: Array, confidence: float) -> Estimate:
    """Bounds the area under a ROC curve.

    Args:
        labels: bool `[n]`.
        positive: float `[n]`, the model's score.
        confidence: like 0.95.

    Returns:
        NaN where only one class occurs.
    """
    found = _placements(labels, positive)
    if found is None:
        return Estimate(float("nan"), 0.0, 1.0)
    value = float(found[0].mean())
    half = _quantile(confidence) * sqrt(_variance(*found))
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0))


def auc_difference(labels: Array, baseline: Array, candidate: Array, confidence: float) -> Estimate:
    """Bounds how much larger the candidate's area is on the same reviews.

    Args:
        labels: bool `[n]`.
        baseline: float `[n]`, its score.
        candidate: float `[n]`, likewise.
        confidence: like 0.95.

    Returns:
        NaN where only one class occurs.
    """
    ours, theirs = _placements(labels, candidate), _placements(labels, baseline)
    if ours is None or theirs is None:
        return Estimate(float("nan"), -1.0, 1.0)
    value = float(ours[0].mean() - theirs[0].mean())
    half = _quantile(confidence) * sqrt(_variance(ours[0] - theirs[0], ours[1] - theirs[1]))
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))


def log_losses(labels: Array, positive: Array) -> Array:
    """The log loss of each review, float64 `[n]`; a probability of 0 counts as float64's epsilon.

    Args:
        labels: bool `[n]`.
        positive: float `[n]`, probability of the positive class.
    """
    said = np.where(labels, positive, 1 - positive)
    return np.asarray(-np.log(np.clip(said, np.finfo(np.float64).eps, 1.0)))


def _placements(labels: Array, scores: Array) -> tuple[Array, Array] | None:
    """For each positive the share of negatives below it, for each negative the share of positives above it.

    DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44, 1988; by ranks as in Sun and Xu, IEEE Signal Processing Letters 21, 2014.
    """
    positive, negative = scores[labels], scores[~labels]
    if not len(positive) or not len(negative):
        return None
    ranks = _ranks(scores)
    above = (ranks[labels] - _ranks(positive)) / len(negative)
    below = 1 - (ranks[~labels] - _ranks(negative)) / len(positive)
    return above, below


def _ranks(values: Array) -> Array:
    """Ranks from 1 on; equals share the mean of theirs."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[group])


def _variance(above: Array, below: Array) -> float:
    """Of a mean over both samples; a sample of one review tells nothing of its spread."""
    return sum(float(sample.var(ddof=1)) / len(sample) for sample in (above, below) if len(sample) > 1)


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)

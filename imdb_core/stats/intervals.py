"""Measures of a model with confidence intervals, at a confidence level such as 0.95.

Labels are bool `[n]`, scores and other values of reviews float `[n]`.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy.typing as npt
from scipy import stats

from imdb_core.features import POSITIVE
from imdb_core.stats.quantiles import critical_value
from imdb_core.stats.scores import FloatArray, placements


@dataclass(frozen=True)
class Estimate:
    """A measured value, NaN where it is not defined, and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int, confidence: float) -> Estimate:
    """Estimates a proportion; 0 trials give NaN between 0 and 1.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American Statistical
    Association 22, 1927.
    """
    if not trials:
        return Estimate(float("nan"), 0.0, 1.0)
    bounds = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return Estimate(successes / trials, float(bounds.low), float(bounds.high))


def mean(values: FloatArray, confidence: float) -> Estimate:
    """Estimates a mean by the normal approximation.

    The interval is NaN for fewer than two values, and the mean is NaN for none.
    """
    if len(values) < 2:  # noqa: PLR2004 - a variance needs two
        value = float(values.mean()) if len(values) else float("nan")
        return Estimate(value, float("nan"), float("nan"))
    middle = float(values.mean())
    half = critical_value(confidence) * float(values.std(ddof=1)) / sqrt(len(values))
    return Estimate(middle, middle - half, middle + half)


def auc(labels: npt.NDArray[Any], scores: npt.NDArray[Any], confidence: float) -> Estimate:
    """Estimates the area under the ROC curve, with DeLong's variance; NaN between 0 and 1 if only one class occurs."""
    if _has_one_class(labels):
        return Estimate(float("nan"), 0.0, 1.0)
    below, above = placements(labels, scores)
    value = float(below.mean())
    half = critical_value(confidence) * sqrt(_variance(below, above))
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0))


def auc_difference(
    labels: npt.NDArray[Any], baseline: npt.NDArray[Any], candidate: npt.NDArray[Any], confidence: float
) -> Estimate:
    """Estimates the candidate's area under the ROC curve minus the baseline's, both on the same reviews.

    The difference is NaN between -1 and 1 if only one class occurs.
    """
    if _has_one_class(labels):
        return Estimate(float("nan"), -1.0, 1.0)
    (below, above), (baseline_below, baseline_above) = placements(labels, candidate), placements(labels, baseline)
    value = float(below.mean() - baseline_below.mean())
    half = critical_value(confidence) * sqrt(_variance(below - baseline_below, above - baseline_above))
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))


def _has_one_class(labels: npt.NDArray[Any]) -> bool:
    positives = (labels == POSITIVE).sum()
    return bool(positives in (0, len(labels)))


def _variance(below: FloatArray, above: FloatArray) -> float:
    """Returns the variance of a mean over both samples; a sample of one review has no spread to estimate."""
    return sum(float(sample.var(ddof=1)) / len(sample) for sample in (below, above) if len(sample) > 1)

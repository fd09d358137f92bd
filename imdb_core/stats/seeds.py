"""Differences between networks that were each trained with several seeds and tested on the same reviews.

Two questions have two units. Whether a network is better *when trained again* is a matter of seeds: each gives one
difference, and their spread is what counts. Whether it is better *on other reviews* is a matter of reviews: all
trainings met the same ones. Both are crossed random effects, as speakers and words are in Clark, "The
language-as-fixed-effect fallacy", Journal of Verbal Learning and Verbal Behavior 12, 1973, and readers and cases in
Dorfman, Berbaum and Metz, "Receiver operating characteristic rating analysis", Investigative Radiology 27, 1992.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from imdb_core import features

# What a metric is for one review, `[seeds, reviews]`: a row's mean is the metric of one training.
Values = npt.NDArray[np.float64]
Interval = tuple[float, float]

POWER: Final = 0.8
MOST_SEEDS: Final = 1000

_PROBABILITY_EPSILON: Final = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Spread:
    """A metric over trainings that differ in their seed alone.

    Attributes:
        mean: of it.
        deviation: sample standard deviation; None of one training.
        least, most: extremes.
    """

    mean: float
    deviation: float | None
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Measures at least one value."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, min(values), max(values))


@dataclass(frozen=True)
class Difference:
    """The mean of one network minus that of another.

    Attributes:
        value: the difference.
        seeds: trainings of each network.
        seed_variance: of `value` if all were trained again.
        seed_freedom: degrees of freedom of that estimate.
        review_variance: what is added to it if the reviews were others too; never negative.
        reviews: number of them.
    """

    value: float
    seeds: int
    seed_variance: float
    seed_freedom: float
    review_variance: float
    reviews: int

    def seed_interval(self, confidence: float) -> Interval:
        """Bounds the difference on these very reviews: a t interval over seeds, paired or Welch's."""
        half = _quantile(0.5 + confidence / 2, self.seed_freedom) * sqrt(self.seed_variance)
        return self.value - half, self.value + half

    def crossed_interval(self, confidence: float) -> Interval:
        """Bounds the difference for other seeds and other reviews, with Satterthwaite's degrees of freedom."""
        half = _quantile(0.5 + confidence / 2, self._crossed_freedom()) * sqrt(self._crossed_variance())
        return self.value - half, self.value + half

    def interval(self, confidence: float) -> Interval:
        """Returns the wider of the two: more degrees of freedom may make the crossed one narrower."""
        both = self.seed_interval(confidence), self.crossed_interval(confidence)
        return max(both, key=lambda bounds: bounds[1] - bounds[0])

    def is_shown(self, confidence: float) -> bool:
        """Whether that interval leaves 0 out."""
        low, high = self.interval(confidence)
        return low > 0 or high < 0

    def detectable(self, confidence: float) -> float:
        """Returns the smallest difference that as many seeds and reviews show with 80% power.

        The usual approximation of the noncentral t: both quantiles times the standard error.
        """
        return self._detectable_with(self.seeds, confidence)

    def seeds_needed(self, confidence: float) -> int | None:
        """Returns how many seeds would show `value` with 80% power on as many reviews.

        Returns:
            None if even `MOST_SEEDS` would not, be it for lack of reviews.
        """
        if not self.value or abs(self.value) < self._detectable_with(MOST_SEEDS, confidence):
            return None
        low, high = 2, MOST_SEEDS
        while low < high:
            middle = (low + high) // 2
            enough = abs(self.value) >= self._detectable_with(middle, confidence)
            low, high = (low, middle) if enough else (middle + 1, high)
        return low

    def _detectable_with(self, seeds: int, confidence: float) -> float:
        freedom = self.seed_freedom * (seeds - 1) / (self.seeds - 1)
        quantiles = _quantile(0.5 + confidence / 2, freedom) + _quantile(POWER, freedom)
        return quantiles * sqrt(self.seed_variance * self.seeds / seeds + self.review_variance)

    def _crossed_variance(self) -> float:
        return self.seed_variance + self.review_variance

    def _crossed_freedom(self) -> float:
        spread = self.seed_variance**2 / self.seed_freedom + self.review_variance**2 / (self.reviews - 1)
        return self._crossed_variance() ** 2 / spread if spread else self.seed_freedom


def _quantile(probability: float, freedom: float) -> float:
    return float(stats.t.ppf(probability, freedom))


def paired_difference(first: Values, second: Values) -> Difference:
    """Compares networks that were trained with the same seeds, row by row.

    Args:
        first: `[seeds, reviews]`, at least two of each.
        second: same shape.
    """
    return _difference([first - second], first.mean(axis=0) - second.mean(axis=0))


def unpaired_difference(first: Values, second: Values) -> Difference:
    """Compares networks whose seeds have nothing in common but their number; the reviews are the same still.

    Args:
        first: `[seeds, reviews]`, at least two of each.
        second: same shape.
    """
    return _difference([first, second], first.mean(axis=0) - second.mean(axis=0))


def _difference(groups: Sequence[Values], by_review: Values) -> Difference:
    """Estimates the parts of the variance from mean squares.

    Args:
        groups: `[seeds, reviews]` each; their seeds vary independently.
        by_review: `[reviews]`, the difference on each review, over all seeds.
    """
    seeds, count = groups[0].shape
    seed_parts = [float(values.mean(axis=1).var(ddof=1)) / seeds for values in groups]
    # The variance between reviews holds chance of single trainings too, which the seeds' part counts already.
    chance = sum(_interaction(values) for values in groups) / (seeds * count)
    seed_variance = sum(seed_parts)
    spread = sum(part**2 for part in seed_parts) / (seeds - 1)
    return Difference(
        value=float(by_review.mean()),
        seeds=seeds,
        seed_variance=seed_variance,
        # Welch's; of one group it is seeds - 1.
        seed_freedom=seed_variance**2 / spread if spread else seeds - 1.0,
        review_variance=max(0.0, float(by_review.var(ddof=1)) / count - chance),
        reviews=count,
    )


def _interaction(values: Values) -> float:
    """Mean square of what neither the seed nor the review explains."""
    seeds, count = values.shape
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float((rest**2).sum() / ((seeds - 1) * (count - 1)))


def accuracy_values(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> Values:
    """Returns 1 where a training was right and 0 where it was wrong.

    Args:
        labels: int `[reviews]`, 0 or 1.
        positive: float `[seeds, reviews]`, probabilities of the positive class.

    Returns:
        Same shape as `positive`.
    """
    right: Values = ((positive > 0.5) == (labels == features.POSITIVE)).astype(np.float64)  # noqa: PLR2004 - argmax
    return right


def log_loss_values(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> Values:
    """Returns minus the logarithm of the true class's probability, kept off 0 as scikit-learn does.

    Args:
        labels: int `[reviews]`, 0 or 1.
        positive: float64 `[seeds, reviews]`, probabilities of the positive class.

    Returns:
        Same shape as `positive`.
    """
    true = np.where(labels == features.POSITIVE, positive, 1 - positive)
    losses: Values = -np.log(np.clip(true, _PROBABILITY_EPSILON, 1 - _PROBABILITY_EPSILON))
    return losses


def auc_values(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> Values:
    """Returns what each review adds to the AUC.

    A review's placement is the share of the other class that it is ranked rightly against, ties counting half (DeLong,
    DeLong and Clarke-Pearson, Biometrics 44, 1988); its distance from the AUC is weighted by how rare the class is.

    Args:
        labels: int `[reviews]`, 0 or 1, both of them.
        positive: float `[seeds, reviews]`, probabilities of the positive class.

    Returns:
        Same shape as `positive`.
    """
    return np.stack([_auc_row(labels == features.POSITIVE, row) for row in positive])


def _auc_row(is_positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    ranks = stats.rankdata(scores)
    placements = np.empty(len(scores))
    shares = np.empty(len(scores))
    for own in (is_positive, ~is_positive):
        others = len(scores) - own.sum()
        below = (ranks[own] - stats.rankdata(scores[own])) / others
        placements[own] = below if own is is_positive else 1 - below
        shares[own] = own.sum() / len(scores)
    area = placements[is_positive].mean()
    return np.asarray(area + (placements - area) / shares, dtype=np.float64)

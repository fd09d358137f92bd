"""Differences between networks that were each trained with several seeds and tested on the same reviews.

Two questions have two units of observation. Whether a network is better *when trained again* depends on the seeds: each
seed gives one difference, and the spread of these differences counts. Whether it is better *on other reviews* depends
on the reviews, which all trainings share. Both are crossed random effects, like speakers and words in Clark, "The
language-as-fixed-effect fallacy", Journal of Verbal Learning and Verbal Behavior 12, 1973, and like readers and cases
in Dorfman, Berbaum and Metz, "Receiver operating characteristic rating analysis", Investigative Radiology 27, 1992.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Final

from imdb_core.stats.quantiles import critical_value, power_quantile
from imdb_core.stats.scores import FloatArray

Interval = tuple[float, float]

MOST_SEEDS: Final = 1000


@dataclass(frozen=True)
class Spread:
    """A metric over trainings that differ only in their seed; a single one has no sample deviation."""

    mean: float
    deviation: float | None
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Returns the spread of at least one value."""
        return cls(mean(values), stdev(values) if len(values) > 1 else None, min(values), max(values))


@dataclass(frozen=True)
class Difference:
    """The mean metric of one network minus that of another.

    Attributes:
        seeds: The number of trainings of each network.
        seed_variance: The variance of `value` if all networks were trained again.
        seed_freedom: The degrees of freedom of `seed_variance`.
        review_variance: The additional variance of `value` if the reviews were drawn again too; never negative.
    """

    value: float
    seeds: int
    seed_variance: float
    seed_freedom: float
    review_variance: float
    reviews: int

    def seed_interval(self, confidence: float) -> Interval:
        """Returns the confidence interval on these same reviews: a t interval over seeds, paired or Welch's."""
        half = critical_value(confidence, self.seed_freedom) * sqrt(self.seed_variance)
        return self.value - half, self.value + half

    def crossed_interval(self, confidence: float) -> Interval:
        """Returns the confidence interval for other seeds and reviews, with Satterthwaite's degrees of freedom."""
        half = critical_value(confidence, self._crossed_freedom()) * sqrt(self._crossed_variance())
        return self.value - half, self.value + half

    def interval(self, confidence: float) -> Interval:
        """Returns the wider of both intervals; with more degrees of freedom the crossed one can be narrower."""
        both = self.seed_interval(confidence), self.crossed_interval(confidence)
        return max(both, key=lambda bounds: bounds[1] - bounds[0])

    def is_shown(self, confidence: float) -> bool:
        """Returns whether `interval` excludes 0."""
        low, high = self.interval(confidence)
        return low > 0 or high < 0

    def detectable(self, confidence: float) -> float:
        """Returns the smallest difference that as many seeds and reviews show with 80% power.

        This is the usual approximation of the noncentral t: the sum of both quantiles times the standard error.
        """
        return self._detectable_with(self.seeds, confidence)

    def seeds_needed(self, confidence: float) -> int | None:
        """Returns how many seeds would show `value` with 80% power on as many reviews.

        Returns None if even `MOST_SEEDS` seeds would not suffice, for instance for lack of reviews.
        """
        if not self.value or abs(self.value) < self._detectable_with(MOST_SEEDS, confidence):
            return None
        seeds = range(2, MOST_SEEDS + 1)
        return seeds[bisect_left(seeds, -abs(self.value), key=lambda count: -self._detectable_with(count, confidence))]

    def _detectable_with(self, seeds: int, confidence: float) -> float:
        freedom = self.seed_freedom * (seeds - 1) / (self.seeds - 1)
        quantiles = critical_value(confidence, freedom) + power_quantile(freedom)
        return quantiles * sqrt(self.seed_variance * self.seeds / seeds + self.review_variance)

    def _crossed_variance(self) -> float:
        return self.seed_variance + self.review_variance

    def _crossed_freedom(self) -> float:
        spread = self.seed_variance**2 / self.seed_freedom + self.review_variance**2 / (self.reviews - 1)
        return self._crossed_variance() ** 2 / spread if spread else self.seed_freedom


def paired_difference(first: FloatArray, second: FloatArray) -> Difference:
    """Compares networks that were trained with the same seeds, row by row.

    Both arguments are metrics `[seeds, reviews]`, with at least two of each.
    """
    return _difference([first - second], first.mean(axis=0) - second.mean(axis=0))


def unpaired_difference(first: FloatArray, second: FloatArray) -> Difference:
    """Compares networks that were trained with different seeds, equally many each, and tested on the same reviews.

    Both arguments are metrics `[seeds, reviews]`, with at least two of each.
    """
    return _difference([first, second], first.mean(axis=0) - second.mean(axis=0))


def _difference(groups: Sequence[FloatArray], by_review: FloatArray) -> Difference:
    """Estimates the components of the variance from mean squares of groups whose seeds vary independently."""
    seeds, count = groups[0].shape
    seed_parts = [float(values.mean(axis=1).var(ddof=1)) / seeds for values in groups]
    # The variance between reviews includes the randomness of single trainings, which `seed_parts` already counts.
    chance = sum(_interaction(values) for values in groups) / (seeds * count)
    seed_variance = sum(seed_parts)
    spread = sum(part**2 for part in seed_parts) / (seeds - 1)
    return Difference(
        value=float(by_review.mean()),
        seeds=seeds,
        seed_variance=seed_variance,
        # Welch's degrees of freedom; for one group they are seeds - 1.
        seed_freedom=seed_variance**2 / spread if spread else seeds - 1.0,
        review_variance=max(0.0, float(by_review.var(ddof=1)) / count - chance),
        reviews=count,
    )


def _interaction(values: FloatArray) -> float:
    """Returns the mean square of the residual that neither the seed nor the review explains."""
    seeds, count = values.shape
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float((rest**2).sum() / ((seeds - 1) * (count - 1)))

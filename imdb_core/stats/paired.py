"""Paired statistics of two models on the same reviews."""

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import Final

from scipy import stats

# The chance that a difference is shown if it is there.
POWER: Final = 0.8


@dataclass(frozen=True)
class PairedOutcomes:
    """On how many reviews each of two models was right.

    Attributes:
        both_right, only_baseline_right, only_candidate_right, both_wrong: numbers of reviews.
    """

    both_right: int
    only_baseline_right: int
    only_candidate_right: int
    both_wrong: int

    @property
    def reviews(self) -> int:
        """All reviews."""
        return self.both_right + self.only_baseline_right + self.only_candidate_right + self.both_wrong

    @property
    def flip_rate(self) -> float:
        """Share of the reviews on which the models disagree."""
        return (self.only_baseline_right + self.only_candidate_right) / self.reviews

    @property
    def accuracy_difference(self) -> float:
        """Accuracy of the candidate minus that of the baseline."""
        return (self.only_candidate_right - self.only_baseline_right) / self.reviews

    def interval(self, confidence: float) -> tuple[float, float]:
        """Bounds the accuracy difference.

        The adjusted Wald interval for paired proportions, which keeps its coverage with few disagreements: Bonett
        and Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data",
        Journal of Educational and Behavioral Statistics 37, 2012.

        Args:
            confidence: like 0.95.

        Returns:
            Lower and upper bound.
        """
        n = self.reviews + 2
        candidate = (self.only_candidate_right + 1) / n
        baseline = (self.only_baseline_right + 1) / n
        middle = candidate - baseline
        half = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt((candidate + baseline - middle**2) / n)
        return max(middle - half, -1.0), min(middle + half, 1.0)

    def mcnemar_p(self) -> float:
        """Probability of disagreements at least this uneven if neither model is better; McNemar's exact test.

        McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12, 1947.
        """
        disagreements = self.only_baseline_right + self.only_candidate_right
        if not disagreements:
            return 1.0
        return float(stats.binomtest(self.only_candidate_right, disagreements).pvalue)

    def reviews_needed(self, confidence: float) -> int | None:
        """Counts the reviews on which McNemar's test would show this difference, at this flip rate, with 80% power.

        Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43, 1987.

        Args:
            confidence: like 0.95.

        Returns:
            None where the models are right equally often: no number would do.
        """
        difference = abs(self.accuracy_difference)
        if not difference:
            return None
        false_alarm, miss = _quantiles(confidence)
        root = false_alarm * sqrt(self.flip_rate) + miss * sqrt(max(0.0, self.flip_rate - difference**2))
        return ceil((root / difference) ** 2)

    def smallest_detectable_difference(self, confidence: float) -> float | None:
        """Solves the same formula for the accuracy difference that these reviews would show with 80% power.

        Args:
            confidence: like 0.95.

        Returns:
            None where the models disagree so seldom that no difference would be shown.
        """
        false_alarm, miss = _quantiles(confidence)
        n = self.reviews
        under_root = n + miss**2 - false_alarm**2
        if under_root < 0:
            return None
        difference = sqrt(self.flip_rate) * (false_alarm * sqrt(n) + miss * sqrt(under_root)) / (n + miss**2)
        # One model can be right at most on all reviews on which they disagree.
        return difference if 0 < difference <= self.flip_rate else None


def _quantiles(confidence: float) -> tuple[float, float]:
    """Normal quantiles of a two-sided test at a confidence, and of the power."""
    return NormalDist().inv_cdf(0.5 + confidence / 2), NormalDist().inv_cdf(POWER)

"""Paired statistics of two models on the same reviews, at a confidence level such as 0.95."""

from dataclasses import dataclass
from math import ceil, sqrt

from scipy import stats

from imdb_core.stats.quantiles import critical_value, power_quantile


@dataclass(frozen=True)
class PairedOutcomes:
    """The numbers of reviews on which both, one or neither of two models were right."""

    both_right: int
    only_baseline_right: int
    only_candidate_right: int
    both_wrong: int

    @property
    def reviews(self) -> int:
        """The number of all reviews."""
        return self.both_right + self.only_baseline_right + self.only_candidate_right + self.both_wrong

    @property
    def flip_rate(self) -> float:
        """The share of reviews on which the models disagree."""
        return (self.only_baseline_right + self.only_candidate_right) / self.reviews

    @property
    def accuracy_difference(self) -> float:
        """The accuracy of the candidate minus that of the baseline."""
        return (self.only_candidate_right - self.only_baseline_right) / self.reviews

    def interval(self, confidence: float) -> tuple[float, float]:
        """Returns the lower and the upper bound of the accuracy difference's confidence interval.

        It is the adjusted Wald interval for paired proportions, which keeps its coverage with few disagreements: Bonett
        and Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data",
        Journal of Educational and Behavioral Statistics 37, 2012.
        """
        n = self.reviews + 2
        candidate = (self.only_candidate_right + 1) / n
        baseline = (self.only_baseline_right + 1) / n
        middle = candidate - baseline
        half = critical_value(confidence) * sqrt((candidate + baseline - middle**2) / n)
        return max(middle - half, -1.0), min(middle + half, 1.0)

    def mcnemar_p(self) -> float:
        """Returns the p-value of McNemar's exact test.

        It is the probability of disagreements at least this uneven if neither model is better.
        McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12, 1947.
        """
        disagreements = self.only_baseline_right + self.only_candidate_right
        if not disagreements:
            return 1.0
        return float(stats.binomtest(self.only_candidate_right, disagreements).pvalue)

    def reviews_needed(self, confidence: float) -> int | None:
        """Returns how many reviews McNemar's test needs to show this difference, at this flip rate, with 80% power.

        Returns None if the models are right equally often, because no number would suffice.
        Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43, 1987.
        """
        difference = abs(self.accuracy_difference)
        if not difference:
            return None
        false_alarm, miss = critical_value(confidence), power_quantile()
        root = false_alarm * sqrt(self.flip_rate) + miss * sqrt(max(0.0, self.flip_rate - difference**2))
        return ceil((root / difference) ** 2)

    def smallest_detectable_difference(self, confidence: float) -> float | None:
        """Returns the smallest accuracy difference that these reviews would show with 80% power.

        It solves the formula of `reviews_needed`. Returns None if the models disagree too rarely to show a difference.
        """
        false_alarm, miss = critical_value(confidence), power_quantile()
        n = self.reviews
        under_root = n + miss**2 - false_alarm**2
        if under_root < 0:
            return None
        difference = sqrt(self.flip_rate) * (false_alarm * sqrt(n) + miss * sqrt(under_root)) / (n + miss**2)
        # The difference cannot exceed the share of reviews on which the models disagree.
        return difference if 0 < difference <= self.flip_rate else None

"""Paired statistics of two models on the same reviews, and the choice between them."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from scipy import stats


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


@dataclass(frozen=True)
class Choice:
    """Which of two models is taken, and why.

    Attributes:
        winner: name of the model.
        significant: whether the models differ at the asked confidence.
        reason: in words and numbers.
    """

    winner: str
    significant: bool
    reason: str


def choose(
    outcomes: PairedOutcomes, baseline: str, candidate: str, parameters: dict[str, int], confidence: float
) -> Choice:
    """Takes the better model, or the smaller one if the evidence tells none apart.

    Args:
        outcomes: on the test split.
        baseline: its name.
        candidate: its name.
        parameters: number of parameters by name.
        confidence: of the interval; McNemar's p has to fall below 1 minus this.

    Returns:
        The winner and the reason. Of two equally large models that differ in nothing shown, the baseline wins.
    """
    low, high = outcomes.interval(confidence)
    p = outcomes.mcnemar_p()
    evidence = (
        f"accuracy of {candidate} minus {baseline}: {100 * outcomes.accuracy_difference:+.2f} points "
        f"({100 * confidence:g}% interval {100 * low:+.2f} to {100 * high:+.2f}, McNemar p = {p:.3g}, "
        f"{outcomes.flip_rate:.1%} of {outcomes.reviews} reviews judged differently)"
    )
    significant = p < 1 - confidence and (low > 0 or high < 0)
    if significant:
        winner = candidate if outcomes.accuracy_difference > 0 else baseline
        return Choice(winner, significant, f"{winner} is better: {evidence}")
    # Sorting is stable: of equals the baseline stays first.
    winner, loser = sorted((baseline, candidate), key=parameters.__getitem__)
    sizes = f"{parameters[winner]:,} against {parameters[loser]:,}"
    smaller = parameters[winner] < parameters[loser]
    rule = "the smaller model" if smaller else "the baseline of two equally large models"
    return Choice(winner, significant, f"no difference shown, so {rule}, {winner} ({sizes} parameters): {evidence}")

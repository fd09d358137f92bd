"""Chooses between two models by paired statistics on the same reviews."""

from dataclasses import dataclass

from imdb_core.stats.paired import PairedOutcomes
from imdb_core.stats.quantiles import POWER


@dataclass(frozen=True)
class Choice:
    """The selected one of two models."""

    winner: str
    significant: bool  # whether the models differ at the given confidence
    reason: str  # in words and numbers


def choose(
    outcomes: PairedOutcomes, baseline: str, candidate: str, parameters: dict[str, int], confidence: float
) -> Choice:
    """Selects the better model, or the smaller one if the evidence shows no difference.

    Args:
        outcomes: The outcomes of both models on the test split.
        baseline: Name of the baseline; it wins against an equally large model without a significant difference.
        candidate: Name of the candidate.
        parameters: Number of parameters by name of the model.
        confidence: Confidence of the interval. For a significant difference McNemar's p is below 1 minus this.
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
    # Sorting is stable: of two equally large models the baseline comes first.
    winner, loser = sorted((baseline, candidate), key=parameters.__getitem__)
    sizes = f"{parameters[winner]:,} against {parameters[loser]:,}"
    smaller = parameters[winner] < parameters[loser]
    rule = "the smaller model" if smaller else "the baseline of two equally large models"
    note = _power_note(outcomes, confidence)
    return Choice(
        winner, significant, f"no difference shown, so {rule}, {winner} ({sizes} parameters): {evidence}{note}"
    )


def _power_note(outcomes: PairedOutcomes, confidence: float) -> str:
    """Describes how many reviews this difference needs, and which difference these reviews can show."""
    needed = outcomes.reviews_needed(confidence)
    smallest = outcomes.smallest_detectable_difference(confidence)
    parts = [] if needed is None else [f"this difference takes {needed:,} reviews"]
    parts += [] if smallest is None else [f"these show {100 * smallest:.2f} points"]
    return f"; with {POWER:.0%} power {' and '.join(parts)}" if parts else ""

"""Paired statistics of two models on the same reviews, and the choice between them."""

from dataclasses import dataclass

from imdb_core.stats.paired import POWER, PairedOutcomes


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
    reason = f"no difference shown, so {rule}, {winner} ({sizes} parameters): {evidence}{_asked(outcomes, confidence)}"
    return Choice(winner, significant, reason)


def _asked(outcomes: PairedOutcomes, confidence: float) -> str:
    """Says what it would take to tell the models apart."""
    needed = outcomes.reviews_needed(confidence)
    smallest = outcomes.smallest_detectable_difference(confidence)
    parts = [] if needed is None else [f"this difference takes {needed:,} reviews"]
    parts += [] if smallest is None else [f"these show {100 * smallest:.2f} points"]
    return f"; with {POWER:.0%} power {' and '.join(parts)}" if parts else ""

"""The outcome of a run in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imdb_core import modes
from pipeline.history.runs import FAILED, UNFINISHED, PastRun


@dataclass(frozen=True)
class Headline:
    """What is said first.

    Attributes:
        title: one short sentence.
        sentences: the rest: by how much, how sure, whether it was pushed and why.
    """

    title: str
    sentences: list[str]


def headline(run: PastRun) -> Headline:
    """Says how a run ended.

    Args:
        run: a past one.
    """
    selection = run.selection
    chosen = _choice(selection) if selection else []
    if run.outcome == FAILED:
        error = str((run.failure or {}).get("error", "see its log"))
        return Headline("The run failed", [*chosen, error])
    if run.outcome == UNFINISHED or selection is None:
        last = list(run.nodes)[-1] if run.nodes else "its first node"
        return Headline("The run did not finish", [*chosen, f"It ended, or still is, at {last}."])
    winner = selection["winner"]
    title = (
        f"{winner.capitalize()} attention won"
        if selection["significant"]
        else f"No difference shown; {winner} attention was taken"
    )
    return Headline(title, [*chosen, _push(run)])


def _choice(selection: Mapping[str, Any]) -> list[str]:
    accuracy = {mode: selection["metrics"][mode]["accuracy"] for mode in modes.MODES}
    difference, (low, high) = selection["accuracy_difference"], selection["interval"]
    total = round(selection["metrics"][modes.SCALAR]["example_count"])
    gap = f"{100 * abs(difference):.2f} points {'more' if difference > 0 else 'fewer'}" if difference else "the same"
    sentences = [
        f"Scalar attention judges {accuracy[modes.SCALAR]:.1%} of the {total:,} test reviews rightly, vector "
        f"attention {accuracy[modes.VECTOR]:.1%}: {gap} ({selection['confidence']:.0%} interval {_points(low)} to "
        f"{_points(high)}, McNemar p = {selection['mcnemar_p']:.2g}). They disagree on {selection['flip_rate']:.1%} of "
        "the reviews."
    ]
    if selection["significant"]:
        sentences.append("That is more than chance would give, so the better mode was taken.")
    else:
        sizes = selection["parameters"]
        loser = next(mode for mode in modes.MODES if mode != selection["winner"])
        sentences.append(
            "The evidence does not tell the modes apart, so the smaller one was taken: "
            f"{sizes[selection['winner']]:,} parameters against {sizes[loser]:,}."
        )
    return sentences


def _push(run: PastRun) -> str:
    pushed = run.artifact("Pusher", "pushed_model")
    if pushed is not None and pushed.properties.get("pushed") == 1:
        return f"It passed every check and was pushed as version {pushed.properties['pushed_version']}."
    return f"It was not pushed: {'; '.join(_reasons(run)) or 'it was not blessed'}."


def _reasons(run: PastRun) -> list[str]:
    reasons = list(run.record["champion"]["reasons"]) if run.record else []
    check = run.artifact("ServingCheck", "blessing")
    if check is not None and check.properties.get("blessed") != 1:
        reasons.append(f"the serving check failed: {check.properties.get('reason') or 'see the log'}")
    return reasons


def _points(share: float) -> str:
    # A real minus sign: a hyphen could end a line.
    return f"{100 * share:+.2f}".replace("-", "\N{MINUS SIGN}")

"""Sums up the outcome of a run in words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imdb_core import modes
from imdb_core.provenance import provenance, sample_notice
from pipeline.history.runs import FAILED, UNFINISHED, PastRun


@dataclass(frozen=True)
class SummarySection:
    """The first words of the page: how large and how certain the difference is, and what was pushed and why."""

    title: str  # one short sentence
    sentences: list[str]
    notice: str | None = None  # what to know before the rest


def describe_summary(run: PastRun) -> SummarySection:
    """Describes how a run ended."""
    notice = sample_notice(provenance(str(run.settings.get("data.source"))))
    return replace(_outcome(run), notice=f"The models were {notice}." if notice else None)


def _outcome(run: PastRun) -> SummarySection:
    selection = run.selection
    chosen = _choice(selection) if selection else []
    if run.outcome == FAILED:
        error = str((run.failure or {}).get("error", "see its log"))
        return SummarySection("The run failed", [*chosen, error])
    if run.outcome == UNFINISHED or selection is None:
        last = list(run.nodes)[-1] if run.nodes else "its first node"
        return SummarySection("The run did not finish", [*chosen, f"It stopped at {last}, or is still running."])
    winner = selection["winner"]
    title = (
        f"{winner.capitalize()} attention won"
        if selection["significant"]
        else f"No difference shown; {winner} attention was chosen"
    )
    return SummarySection(title, [*chosen, _push(run)])


def _choice(selection: Mapping[str, Any]) -> list[str]:
    accuracy = {mode: selection["metrics"][mode]["accuracy"] for mode in modes.MODES}
    difference, (low, high) = selection["accuracy_difference"], selection["interval"]
    total = round(selection["metrics"][modes.SCALAR]["example_count"])
    gap = f"{100 * abs(difference):.2f} points {'more' if difference > 0 else 'fewer'}" if difference else "the same"
    sentences = [
        f"Scalar attention is right on {accuracy[modes.SCALAR]:.1%} of the {total:,} test reviews, vector "
        f"attention on {accuracy[modes.VECTOR]:.1%}: {gap} ({selection['confidence']:.0%} interval {_points(low)} to "
        f"{_points(high)}, McNemar p = {selection['mcnemar_p']:.2g}). They disagree on {selection['flip_rate']:.1%} of "
        "the reviews."
    ]
    if selection["significant"]:
        sentences.append("The difference is larger than chance explains, so the better mode was chosen.")
    else:
        sizes = selection["parameters"]
        loser = next(mode for mode in modes.MODES if mode != selection["winner"])
        sentences.append(
            "The evidence does not show which mode is better, so the smaller one was chosen: "
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
    # A real minus sign: browsers may break a line after a hyphen.
    return f"{100 * share:+.2f}".replace("-", "\N{MINUS SIGN}")

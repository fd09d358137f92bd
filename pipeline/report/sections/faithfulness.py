"""Shows whether attention is faithful, in words that claim no more than the intervals show.

Comprehensiveness is how much the probability of the prediction falls without the chosen words, and sufficiency how much
it falls with only these words: DeYoung et al., "ERASER: a benchmark to evaluate rationalized NLP models", ACL 2020.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from components.explainer.faithfulness import ATTENTION, RANDOM
from imdb_core.modes import MODES, Mode
from pipeline.report.figures.drawing import INK, MODE_COLORS, MODE_MARKERS, draw, line_style

_MEASURES: Final = {"comprehensiveness": "without the k words", "sufficiency": "with only the k words"}
# The findings describe the number of words nearest to this.
_DESCRIBED_K: Final = 5


@dataclass(frozen=True)
class FaithfulnessSection:
    """The faithfulness test."""

    reviews: int  # 0 if the test was not run
    findings: list[str]  # a paragraph for each mode
    figures: Mapping[str, Markup]


def describe_faithfulness(explanations: Mapping[str, Any]) -> FaithfulnessSection:
    """Describes the faithfulness test, from the Explainer's `explanations.json`."""
    by_mode: dict[str, Any] = {mode: explanations["modes"][mode]["faithfulness"] for mode in MODES}
    figures = {f"{kind}_{mode}": _faithfulness_plot(kind, mode, by_mode) for kind in _MEASURES for mode in MODES}
    return FaithfulnessSection(
        reviews=max(values["reviews"] for values in by_mode.values()),
        findings=[finding(mode, values) for mode, values in by_mode.items()],
        figures={**figures, "flips": _flips_plot(by_mode)},
    )


def finding(mode: str, values: Mapping[str, Any]) -> str:
    """Describes the result of a mode for the number of words nearest to five.

    Args:
        mode: Name of the mode.
        values: `reviews`, `k`, and `comprehensiveness` and `sufficiency`, each with lists of `mean`, `low` and `high`
            by `attention` and `random`.
    """
    if not values["k"] or not values["reviews"]:
        return f"{mode.capitalize()}: the test was not run."
    place = min(range(len(values["k"])), key=lambda index: abs(values["k"][index] - _DESCRIBED_K))
    k = values["k"][place]
    attended, random = (_at(values["comprehensiveness"], by, place) for by in (ATTENTION, RANDOM))
    kept, kept_random = (_at(values["sufficiency"], by, place) for by in (ATTENTION, RANDOM))
    words = "the most attended word" if k == 1 else f"the {k} most attended words"
    verdict = {
        1: "its attention points at words that the prediction depends on",
        0: "this test does not distinguish its attention from chance",
        -1: "its attention points away from the words that the prediction depends on",
    }[_compare(attended, random)]
    alone = {
        1: "closer to its prediction than random words do",
        0: "no measurably closer to its prediction than random words do",
        -1: "less close to its prediction than random words do",
    }[_compare(kept_random, kept)]
    return (
        f"{mode.capitalize()}: without {words}, the probability of the prediction falls by {_points(attended)} points "
        f"on average, and by {_points(random)} without as many random words: {verdict}. "
        f"By themselves, the most attended words bring the model {alone}."
    )


def _at(measure: Mapping[str, Sequence[Mapping[str, float]]], by: str, place: int) -> Mapping[str, float]:
    return measure[by][place]


def _compare(first: Mapping[str, float], second: Mapping[str, float]) -> int:
    """Returns 1 if the first is larger, -1 if it is smaller, and 0 if the intervals overlap."""
    if first["low"] > second["high"]:
        return 1
    return -1 if first["high"] < second["low"] else 0


def _points(estimate: Mapping[str, float]) -> str:
    return f"{100 * estimate['mean']:.1f}".replace("-", "\N{MINUS SIGN}")


def _faithfulness_plot(kind: str, mode: Mode, faithfulness: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how far the probability falls for the most attended and for random words; the modes share the scale."""
    limits = [
        point[end]
        for values in faithfulness.values()
        for points in values[kind].values()
        for point in points
        for end in ("low", "high")
    ]

    def paint(axes: Axes) -> None:
        for by, color, style in ((ATTENTION, MODE_COLORS[mode], "-"), (RANDOM, INK, ":")):
            points, ks = faithfulness[mode][kind][by], faithfulness[mode]["k"]
            whiskers = [
                [point["mean"] - point["low"] for point in points],
                [point["high"] - point["mean"] for point in points],
            ]
            label = "most attended" if by == ATTENTION else "random"
            axes.errorbar(
                range(len(ks)),
                [point["mean"] for point in points],
                yerr=whiskers,
                color=color,
                linestyle=style,
                marker=MODE_MARKERS[mode] if by == ATTENTION else "x",
                label=label,
            )
            axes.set_xticks(range(len(ks)), [str(k) for k in ks])
        span = (max(limits) - min(limits) or 1.0) if limits else 1.0
        axes.set_ylim(min([*limits, 0.0]) - 0.05 * span, max([*limits, 0.0]) + 0.05 * span)
        axes.set(xlabel="k, number of words", ylabel=f"fall in probability {_MEASURES[kind]}")
        axes.set_title(f"{mode}: {kind}")
        axes.legend(loc="best")

    return draw(f"{kind}-{mode}", f"{kind.capitalize()} of {mode} mode: most attended against random words", paint)


def _flips_plot(faithfulness: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how often the prediction changes without the k words."""

    def paint(axes: Axes) -> None:
        for mode, values in faithfulness.items():
            places = range(len(values["k"]))
            axes.plot(places, values["flips"][ATTENTION], marker=MODE_MARKERS[mode], **line_style(mode))
            faded = {**line_style(mode), "label": f"{mode}, random", "linestyle": ":"}
            axes.plot(places, values["flips"][RANDOM], marker="x", **faded)
            axes.set_xticks(places, [str(k) for k in values["k"]])
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(xlabel="k, number of removed words", ylabel="predictions that change", ylim=(0, None))
        axes.legend(loc="upper left")

    return draw("flips", "Share of predictions that change without the k words, both modes", paint)

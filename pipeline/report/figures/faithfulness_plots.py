"""Pictures of the faithfulness test."""

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from components.explainer.faithfulness import ATTENTION, RANDOM
from imdb_core.modes import Mode
from pipeline.report.figures.drawing import INK, MODE_COLORS, MODE_MARKERS, draw, line_style

MEASURES: Final[Mapping[str, str]] = {
    "comprehensiveness": "without the k words",
    "sufficiency": "with only the k words",
}


def faithfulness_plot(kind: str, mode: Mode, faithfulness: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how far the probability falls for the most attended words, and for random words.

    Args:
        kind: A key of `MEASURES`.
        mode: The mode to draw.
        faithfulness: The results of both modes, which share the scale: `k`, and for each kind lists of `mean`, `low`
            and `high` by `attention` and `random`.
    """
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
        axes.set(xlabel="k, number of words", ylabel=f"fall in probability {MEASURES[kind]}")
        axes.set_title(f"{mode}: {kind}")
        axes.legend(loc="best")

    return draw(f"{kind}-{mode}", f"{kind.capitalize()} of {mode} mode: most attended against random words", paint)


def flips_plot(faithfulness: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how often the prediction changes without the k words.

    Args:
        faithfulness: The results of each mode: `k`, and `flips`, a share for each k by `attention` and `random`.
    """

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

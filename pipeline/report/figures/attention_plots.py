"""Pictures of attention over many reviews."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from pipeline.report.faithfulness import ATTENTION, RANDOM
from pipeline.report.figures.drawing import FAINT, INK, MODE_COLORS, MODE_MARKERS, MODE_STYLES, draw, line_style

FAITHFULNESS: Final[Mapping[str, str]] = {
    "comprehensiveness": "without the k words",
    "sufficiency": "with the k words alone",
}


def position_plot(positions: Mapping[str, Mapping[str, Sequence[float]]]) -> Markup:
    """Draws how attention spreads from the start of a review to its end.

    Args:
        positions: by mode, `deciles`: shares of the attention.
    """

    def paint(axes: Axes) -> None:
        axes.axhline(0.1, color=FAINT, linewidth=1, linestyle=":")
        for mode, position in positions.items():
            axes.plot(range(5, 100, 10), position["deciles"], marker=MODE_MARKERS[mode], **line_style(mode))
        axes.xaxis.set_major_formatter(PercentFormatter(100, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(xlabel="place in what is read of the review", ylabel="share of the attention", xlim=(0, 100))
        axes.set_ylim(0, 1.2 * max(0.1, *(share for position in positions.values() for share in position["deciles"])))
        axes.legend(loc="best")

    return draw("position", "Share of the attention by tenth of the review, both modes", paint)


def entropy_plot(entropies: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how spread the attention of each review is.

    Args:
        entropies: by mode, `mean`, and the histogram's `bin_edges` and `counts`.
    """
    reached = (
        edge
        for entropy in entropies.values()
        for edge, count in zip(entropy["bin_edges"], entropy["counts"], strict=False)
        if count
    )
    first = min(reached, default=0.0)

    def paint(axes: Axes) -> None:
        for mode, entropy in entropies.items():
            total = sum(entropy["counts"]) or 1
            shares = [count / total for count in entropy["counts"]]
            axes.stairs(shares, entropy["bin_edges"], linewidth=1.8, **line_style(mode))
            axes.axvline(entropy["mean"], color=MODE_COLORS[mode], linewidth=1, linestyle=MODE_STYLES[mode])
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(
            xlabel="entropy of the weights (1: all words alike)",
            xlim=(first - 0.02, 1.01),
            ylabel="share of reviews",
        )
        axes.legend(loc="upper left")

    return draw("entropy", "Histogram of the entropy of the attention weights of a review, both modes", paint)


def faithfulness_plot(kind: str, mode: str, faithfulness: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how fast the prediction falls, by attention and by chance.

    Args:
        kind: key of `FAITHFULNESS`.
        mode: to draw.
        faithfulness: of both modes, which share the scale: `k`, and by kind lists of `mean`, `low` and `high` for
            `attention` and for `random`.
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
        axes.set(xlabel="k, number of words", ylabel=f"fall in probability {FAITHFULNESS[kind]}")
        axes.set_title(f"{mode}: {kind}")
        axes.legend(loc="best")

    return draw(f"{kind}-{mode}", f"{kind.capitalize()} of {mode} mode: attended against random words", paint)


def flips_plot(faithfulness: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how often the answer turns over without the k words.

    Args:
        faithfulness: by mode, `k` and `flips`: a share for each k, by `attention` and by `random`.
    """

    def paint(axes: Axes) -> None:
        for mode, values in faithfulness.items():
            places = range(len(values["k"]))
            axes.plot(places, values["flips"][ATTENTION], marker=MODE_MARKERS[mode], **line_style(mode))
            faded = {**line_style(mode), "label": f"{mode}, random", "linestyle": ":"}
            axes.plot(places, values["flips"][RANDOM], marker="x", **faded)
            axes.set_xticks(places, [str(k) for k in values["k"]])
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(xlabel="k, number of words left out", ylabel="answers that turn over", ylim=(0, None))
        axes.legend(loc="upper left")

    return draw("flips", "Share of answers that change without the k words, both modes", paint)

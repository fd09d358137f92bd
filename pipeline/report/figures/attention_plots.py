"""Pictures of the attention on many reviews."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from pipeline.report.figures.drawing import FAINT, MODE_COLORS, MODE_MARKERS, MODE_STYLES, draw, line_style


def position_plot(positions: Mapping[str, Mapping[str, Sequence[float]]]) -> Markup:
    """Draws the share of the attention by position in a review.

    Args:
        positions: The `deciles` of each mode: shares of the attention by tenth of a review.
    """

    def paint(axes: Axes) -> None:
        axes.axhline(0.1, color=FAINT, linewidth=1, linestyle=":")
        for mode, position in positions.items():
            axes.plot(range(5, 100, 10), position["deciles"], marker=MODE_MARKERS[mode], **line_style(mode))
        axes.xaxis.set_major_formatter(PercentFormatter(100, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(
            xlabel="position in the part of the review that is read", ylabel="share of the attention", xlim=(0, 100)
        )
        axes.set_ylim(0, 1.2 * max(0.1, *(share for position in positions.values() for share in position["deciles"])))
        axes.legend(loc="best")

    return draw("position", "Share of the attention by tenth of the review, both modes", paint)


def entropy_plot(entropies: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how evenly the attention of each review is spread.

    Args:
        entropies: The `mean` of each mode, and `bin_edges` and `counts` of its histogram.
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
            xlabel="entropy of the weights (1: all words equal)",
            xlim=(first - 0.02, 1.01),
            ylabel="share of reviews",
        )
        axes.legend(loc="upper left")

    return draw("entropy", "Histogram of the entropy of the attention weights of a review, both modes", paint)

"""Pictures of the quality of both modes."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.ticker import PercentFormatter

from components.predictions.reading import ModePredictions
from imdb_core import modes
from imdb_core.features import DECISION_THRESHOLD
from imdb_core.stats.intervals import Estimate
from pipeline.report.figures.curves import precision_recall, reliability, roc
from pipeline.report.figures.drawing import FAINT, INK, MODE_COLORS, MODE_MARKERS, draw, line_style

_CELLS: Final = 20


def roc_plot(predictions: ModePredictions) -> Markup:
    """Draws both ROC curves."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
        for mode in modes.MODES:
            axes.plot(*roc(predictions.labels, predictions.positive[mode]), **line_style(mode))
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.legend(loc="lower right")

    return draw("roc", "ROC curves of both modes: true against false positive rate", paint)


def precision_recall_plot(predictions: ModePredictions) -> Markup:
    """Draws both precision-recall curves, and the share of positive reviews as a dotted line."""

    def paint(axes: Axes) -> None:
        axes.axhline(predictions.labels.mean(), color=FAINT, linewidth=1, linestyle=":")
        for mode in modes.MODES:
            axes.plot(*precision_recall(predictions.labels, predictions.positive[mode]), **line_style(mode))
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(None, 1.02))
        axes.legend(loc="lower left")

    return draw("pr", "Precision against recall of both modes", paint)


def reliability_plot(predictions: ModePredictions, confidence: float) -> Markup:
    """Draws the share of positive reviews against the probability, in ten bins."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
        for mode in modes.MODES:
            bins = reliability(predictions.labels, predictions.positive[mode], confidence)
            axes.errorbar(
                [found.predicted for found in bins],
                [found.positive.value for found in bins],
                yerr=_whiskers([found.positive for found in bins]),
                elinewidth=1,
                **line_style(mode),
                marker=MODE_MARKERS[mode],
            )
        axes.set(xlabel="mean probability of “positive” in the bin", ylabel="share of positive reviews")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.legend(loc="upper left")

    return draw("reliability", "Reliability diagram: share of positive reviews against predicted probability", paint)


def probability_plot(predictions: ModePredictions) -> Markup:
    """Draws the distribution of each mode's probabilities."""

    def paint(axes: Axes) -> None:
        edges = np.linspace(0, 1, _CELLS + 1).tolist()
        for mode in modes.MODES:
            axes.hist(predictions.positive[mode], edges, histtype="step", linewidth=1.8, **line_style(mode))
        axes.set(xlabel="probability of “positive”", ylabel="test reviews", xlim=(-0.02, 1.02))
        axes.legend(loc="upper center")

    return draw("probabilities", "Histogram of the probabilities that both modes predict", paint)


def agreement_plot(predictions: ModePredictions) -> Markup:
    """Draws the probabilities of both modes against each other; stronger cells hold more reviews."""
    counts, _, _ = np.histogram2d(
        predictions.positive[modes.SCALAR], predictions.positive[modes.VECTOR], _CELLS, [[0, 1]] * 2
    )
    strengths = np.log1p(counts) / np.log1p(counts.max())

    def paint(axes: Axes) -> None:
        axes.grid(visible=False)
        filled = np.argwhere(counts)
        squares = (filled[:, np.newaxis] + [[0, 0], [1, 0], [1, 1], [0, 1]]) / _CELLS
        shades = [to_rgba(INK, round(0.12 + 0.88 * strengths[tuple(cell)], 2)) for cell in filled]
        axes.add_collection(PolyCollection(squares.tolist(), facecolors=shades, linewidths=0))
        axes.axhline(DECISION_THRESHOLD, color=MODE_COLORS[modes.VECTOR], linewidth=1)
        axes.axvline(DECISION_THRESHOLD, color=MODE_COLORS[modes.SCALAR], linewidth=1)
        axes.set(
            xlabel="probability of “positive”: scalar",
            ylabel="probability of “positive”: vector",
            xlim=(0, 1),
            ylim=(0, 1),
        )

    return draw("agreement", "Probabilities of vector mode against those of scalar mode", paint)


def slices_plot(name: str, title: str, groups: Mapping[str, Mapping[str, Estimate]]) -> Markup:
    """Draws the accuracy of both modes by group of reviews; `title` names the grouping, and `name` the picture."""

    def paint(axes: Axes) -> None:
        for offset, mode in zip((-0.1, 0.1), modes.MODES, strict=True):
            estimates = [by_mode[mode] for by_mode in groups.values()]
            axes.errorbar(
                np.arange(len(groups)) + offset,
                [estimate.value for estimate in estimates],
                yerr=_whiskers(estimates),
                **{**line_style(mode), "linestyle": "none"},
                marker=MODE_MARKERS[mode],
                elinewidth=1.2,
            )
        axes.set_xticks(range(len(groups)), groups)
        axes.xaxis.grid(visible=False)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(xlabel=title, ylabel="accuracy")
        axes.legend(loc="best")

    return draw(name, f"Accuracy of both modes by {title}", paint)


def _whiskers(estimates: Sequence[Estimate]) -> list[list[float]]:
    return [
        [estimate.value - estimate.low for estimate in estimates],
        [estimate.high - estimate.value for estimate in estimates],
    ]

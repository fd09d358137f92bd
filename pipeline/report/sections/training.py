"""Shows the course of the trainings."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from imdb_core.features import EVAL, TRAIN
from imdb_core.file_names import HISTORY_FILE
from imdb_core.modes import MODES
from pipeline.history.runs import PastRun
from pipeline.report.figures.drawing import MODE_MARKERS, draw, line_style

_Histories = Mapping[str, Mapping[str, Sequence[float]]]

_CURVES: Final = (("log_loss", "log loss"), ("accuracy", "accuracy"))


def describe_training(run: PastRun) -> dict[str, Markup]:
    """Draws the learning curves by name of the metric; returns none if the run has no training histories."""
    histories: dict[str, Mapping[str, Sequence[float]]] = {}
    for mode in MODES:
        file = run.file(f"Trainer.{mode}", "model_run", HISTORY_FILE)
        if file:
            histories[mode] = json.loads(file.read_text())
    return {title: _training_plot(title, key, histories) for key, title in _CURVES if histories}


def _training_plot(title: str, key: str, histories: _Histories) -> Markup:
    """Draws a metric over the epochs; in Keras's histories `val_` marks its values on the eval split."""

    def paint(axes: Axes) -> None:
        for mode, history in histories.items():
            for prefix, part, alpha in (("", TRAIN, 0.45), ("val_", EVAL, 1.0)):
                values = history.get(prefix + key, [])
                if values:
                    style = {**line_style(mode), "label": f"{mode}, {part}", "marker": MODE_MARKERS[mode]}
                    axes.plot(range(1, len(values) + 1), values, alpha=alpha, **style)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set(xlabel="epoch", ylabel=title)
        axes.legend(loc="best", fontsize=9)

    return draw(f"training-{key}", f"{title} over the epochs of training, both modes", paint)

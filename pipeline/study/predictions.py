"""The predictions of all trainings of a study, and the metrics of each review that follow from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from components.evaluator import metrics
from components.predictions.reading import read_predictions
from imdb_core.errors import RunError
from imdb_core.examples import read_examples
from imdb_core.modes import MODES, Mode
from imdb_core.stats import scores
from imdb_core.stats.scores import FloatArray

_METRICS: Final[Mapping[str, Callable[[npt.NDArray[Any], npt.NDArray[Any]], FloatArray]]] = {
    metrics.ACCURACY: scores.accuracy_values,
    metrics.AUC: scores.auc_values,
    metrics.LOG_LOSS: scores.log_losses,
}


@dataclass(frozen=True)
class PresetPredictions:
    """The predictions of all trainings of one preset, with the reviews sorted by id."""

    ids: npt.NDArray[np.object_]  # bytes `[reviews]`
    labels: npt.NDArray[np.bool_]  # whether each review is positive, bool `[reviews]`
    positive: Mapping[Mode, FloatArray]  # its probability, float64 `[seeds, reviews]`

    def values(self) -> dict[Mode, dict[str, FloatArray]]:
        """Returns the values of each metric by mode, float64 `[seeds, reviews]`."""
        return {
            mode: {name: measure(self.labels, positive) for name, measure in _METRICS.items()}
            for mode, positive in self.positive.items()
        }


def read_preset_predictions(folders: Sequence[Path]) -> PresetPredictions:
    """Reads the predictions of the trainings of one preset.

    Args:
        folders: Folders of the `test` splits that node Predictions wrote, one per seed, all of the same reviews.
    """
    by_seed = [read_predictions(read_examples(folder)) for folder in folders]
    orders = [np.argsort(found.ids, kind="stable") for found in by_seed]
    return PresetPredictions(
        ids=by_seed[0].ids[orders[0]],
        labels=by_seed[0].labels[orders[0]],
        positive={
            mode: np.stack([found.positive[mode][order] for found, order in zip(by_seed, orders, strict=True)])
            for mode in MODES
        },
    )


def check_same_reviews(predictions: Mapping[str, PresetPredictions]) -> None:
    """Makes sure that the predictions by preset can be compared.

    Raises:
        RunError: The presets were tested on different reviews.
    """
    (name, first), *others = predictions.items()
    for other, second in others:
        if not (np.array_equal(first.ids, second.ids) and np.array_equal(first.labels, second.labels)):
            raise RunError(
                f"presets {name} and {other} were tested on different reviews, {len(first.ids)} and {len(second.ids)}: "
                "the source changed meanwhile; run the study in a new workspace, or on a source that does not change"
            )

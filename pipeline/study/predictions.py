"""What the trainings of a study said of the test reviews, and the metrics that follow, review by review."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.utils import io_utils

from components.evaluator import metrics
from imdb_core import modes
from imdb_core.errors import RunError
from imdb_core.features import ID, LABEL, POSITIVE
from imdb_core.modes import ROLES
from imdb_core.records import in_batches, read_records
from imdb_core.stats import scores
from imdb_core.stats.scores import FloatArray

_BATCH: Final = 1024

METRICS: Final[Mapping[str, Callable[[npt.NDArray[Any], npt.NDArray[Any]], FloatArray]]] = {
    metrics.ACCURACY: scores.accuracy_values,
    metrics.AUC: scores.auc_values,
    metrics.LOG_LOSS: scores.log_losses,
}


@dataclass(frozen=True)
class Answers:
    """Probabilities of all trainings of one preset, in the order of the reviews' ids.

    Attributes:
        ids: bytes `[reviews]`.
        labels: int64 `[reviews]`.
        positive: by mode, float64 `[seeds, reviews]`.
    """

    ids: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    positive: Mapping[modes.Mode, npt.NDArray[np.float64]]

    def values(self) -> dict[modes.Mode, dict[str, FloatArray]]:
        """Returns each metric of each mode, `[seeds, reviews]`."""
        return {
            mode: {name: measure(self.labels, positive) for name, measure in METRICS.items()}
            for mode, positive in self.positive.items()
        }


def read_answers(folders: Sequence[str]) -> Answers:
    """Reads what `Predictions` wrote.

    Args:
        folders: one a seed, of split `test`, all made from the same reviews.
    """
    tables = [_read(folder) for folder in folders]
    return Answers(
        ids=tables[0][ID],
        labels=tables[0][LABEL],
        positive={mode: np.stack([table[role] for table in tables]) for mode, role in ROLES.items()},
    )


def check_same_reviews(answers: Mapping[str, Answers]) -> None:
    """Makes sure that presets can be compared.

    Args:
        answers: by preset.

    Raises:
        RunError: they were not tested on the same reviews.
    """
    (name, first), *others = answers.items()
    for other, second in others:
        if not (np.array_equal(first.ids, second.ids) and np.array_equal(first.labels, second.labels)):
            raise RunError(
                f"presets {name} and {other} were tested on different reviews, {len(first.ids)} and {len(second.ids)}: "
                "the source changed meanwhile; run the study in a new workspace, or on a source that does not change"
            )


def _read(folder: str) -> dict[str, npt.NDArray[Any]]:
    """Reads one folder; the columns are `id`, `label` and the roles, in the order of the ids."""
    features = {
        ID: tf.io.FixedLenFeature([], tf.string),
        LABEL: tf.io.FixedLenFeature([], tf.int64),
        **{role: tf.io.FixedLenFeature([2], tf.float32) for role in ROLES.values()},
    }
    files = sorted(tf.io.gfile.glob(io_utils.all_files_pattern(folder)))
    records = read_records(files, tf.io.gfile.GFile)
    batches = [tf.io.parse_example(batch, features) for batch in in_batches(records, _BATCH)]
    columns = {name: np.concatenate([batch[name].numpy() for batch in batches]) for name in features}
    order = np.argsort(columns[ID], kind="stable")
    columns |= {role: columns[role][:, POSITIVE].astype(np.float64) for role in ROLES.values()}
    return {name: column[order] for name, column in columns.items()}

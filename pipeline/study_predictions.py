"""What the trainings of a study said of the test reviews, and the metrics that follow, review by review."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.utils import io_utils

from components import metrics, reviews
from components.batches import in_batches
from components.comparison import ROLES
from components.errors import RunError
from components.records import read_records
from pipeline import seed_statistics
from pipeline.seed_statistics import Values

_BATCH: Final = 1024

METRICS: Final[Mapping[str, Callable[[npt.NDArray[Any], npt.NDArray[Any]], Values]]] = {
    metrics.ACCURACY: seed_statistics.accuracy_values,
    metrics.AUC: seed_statistics.auc_values,
    metrics.LOG_LOSS: seed_statistics.log_loss_values,
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
    positive: Mapping[reviews.Mode, npt.NDArray[np.float64]]

    def values(self) -> dict[reviews.Mode, dict[str, Values]]:
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
        ids=tables[0][reviews.ID],
        labels=tables[0][reviews.LABEL],
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
        reviews.ID: tf.io.FixedLenFeature([], tf.string),
        reviews.LABEL: tf.io.FixedLenFeature([], tf.int64),
        **{role: tf.io.FixedLenFeature([2], tf.float32) for role in ROLES.values()},
    }
    files = sorted(tf.io.gfile.glob(io_utils.all_files_pattern(folder)))
    records = read_records(files, tf.io.gfile.GFile)
    batches = [tf.io.parse_example(batch, features) for batch in in_batches(records, _BATCH)]
    columns = {name: np.concatenate([batch[name].numpy() for batch in batches]) for name in features}
    order = np.argsort(columns[reviews.ID], kind="stable")
    columns |= {role: columns[role][:, reviews.POSITIVE].astype(np.float64) for role in ROLES.values()}
    return {name: column[order] for name, column in columns.items()}

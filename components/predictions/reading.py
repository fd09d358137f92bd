"""What both modes say of each test review, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imdb_core import modes
from imdb_core.examples import read_examples
from imdb_core.features import LABEL, LENGTH_BUCKET, POSITIVE, RATING
from imdb_core.modes import ROLES

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TestPredictions:
    """The test split as the modes judge it.

    Attributes:
        positive: by mode, float64 `[n]`: probability of the positive class.
        labels: bool `[n]`: whether the review is positive.
        slices: by feature to slice by, string `[n]`; empty strings where a review lacks it.
    """

    positive: Mapping[str, Array]
    labels: Array
    slices: Mapping[str, Array]

    def right(self, mode: str) -> Array:
        """Whether the mode is right, bool `[n]`; above 0.5 it says positive."""
        return np.asarray((self.positive[mode] > 0.5) == self.labels)  # noqa: PLR2004 - argmax over two classes


def read_predictions(folder: Path) -> TestPredictions:
    """Reads what node `Predictions.modes` wrote.

    Args:
        folder: of its `test` split.
    """
    positive: dict[str, list[float]] = {mode: [] for mode in modes.MODES}
    labels: list[bool] = []
    slices: dict[str, list[str]] = {LENGTH_BUCKET: [], RATING: []}
    for features in read_examples(folder):
        for mode, role in ROLES.items():
            positive[mode].append(features[role].float_list.value[POSITIVE])
        labels.append(features[LABEL].int64_list.value[0] == POSITIVE)
        bucket = features[LENGTH_BUCKET].bytes_list.value
        slices[LENGTH_BUCKET].append(bucket[0].decode() if bucket else "")
        rating = features[RATING].int64_list.value
        slices[RATING].append(f"{rating[0]:02d}" if rating else "")
    return TestPredictions(
        positive={mode: np.array(values, np.float64) for mode, values in positive.items()},
        labels=np.array(labels, bool),
        slices={name: np.array(values, str) for name, values in slices.items()},
    )

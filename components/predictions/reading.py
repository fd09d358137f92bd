"""Reads what node Predictions wrote of both modes. It needs no TensorFlow, which a report has no time to import."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imdb_core.features import ID, LABEL, LENGTH_BUCKET, POSITIVE, RATING
from imdb_core.modes import MODES, ROLES, Mode
from imdb_core.stats.scores import is_right


@dataclass(frozen=True)
class ModePredictions:
    """Both modes' predictions of the `n` test reviews, in the order in which they were read."""

    ids: npt.NDArray[np.object_]  # bytes `[n]`
    labels: npt.NDArray[np.bool_]  # whether each review is positive, `[n]`
    ratings: Sequence[int | None]  # None for a review without a rating
    length_buckets: Sequence[str]  # empty for a review without one
    positive: Mapping[Mode, npt.NDArray[np.float64]]  # the probability of the positive class, `[n]`

    def right(self, mode: Mode) -> npt.NDArray[np.bool_]:
        """Returns whether a mode predicts each review's label, bool `[n]`."""
        return is_right(self.labels, self.positive[mode])

    @property
    def slices(self) -> dict[str, npt.NDArray[np.str_]]:
        """The value of each review by feature to slice by, string `[n]`: empty if missing, ratings zero-padded."""
        ratings = ["" if rating is None else f"{rating:02d}" for rating in self.ratings]
        return {LENGTH_BUCKET: np.array(self.length_buckets, str), RATING: np.array(ratings, str)}


def read_predictions(examples: Iterable[Mapping[str, Any]]) -> ModePredictions:
    """Collects the columns of examples from `imdb_core.examples.read_examples` or `components.artifacts.read_split`."""
    ids: list[bytes] = []
    labels: list[bool] = []
    ratings: list[int | None] = []
    length_buckets: list[str] = []
    positive: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    for features in examples:
        ids.append(features[ID].bytes_list.value[0])
        labels.append(features[LABEL].int64_list.value[0] == POSITIVE)
        ratings.append(next(iter(features[RATING].int64_list.value), None))
        length_buckets.append(b"".join(features[LENGTH_BUCKET].bytes_list.value).decode())
        for mode, role in ROLES.items():
            positive[mode].append(features[role].float_list.value[POSITIVE])
    return ModePredictions(
        ids=np.array(ids, object),
        labels=np.array(labels, bool),
        ratings=ratings,
        length_buckets=length_buckets,
        positive={mode: np.array(values, np.float64) for mode, values in positive.items()},
    )

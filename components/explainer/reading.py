"""Reads the test split and what both modes say of it."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.explainer.selection import ScoredReview
from imdb_core.errors import RunError
from imdb_core.features import ID, LABEL, LENGTH_BUCKET, POSITIVE, RATING, TEXT
from imdb_core.modes import ROLES
from imdb_core.records import in_batches, read_records

# Ratings are 1 to 10.
_NO_RATING: Final = -1
_BATCH: Final = 1024

_REVIEW: Final = {
    ID: tf.io.FixedLenFeature([], tf.string),
    TEXT: tf.io.FixedLenFeature([], tf.string),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
    RATING: tf.io.FixedLenFeature([], tf.int64, _NO_RATING),
    LENGTH_BUCKET: tf.io.FixedLenFeature([], tf.string),
}
_ANSWERS: Final = {
    ID: tf.io.FixedLenFeature([], tf.string),
    **{role: tf.io.FixedLenFeature([2], tf.float32) for role in ROLES.values()},
}


def read_scored_reviews(examples: str, predictions: str) -> list[ScoredReview]:
    """Reads the test split.

    Args:
        examples: folder of the raw split's files.
        predictions: folder of the files that `Predictions` made of these, with both modes' probabilities.

    Returns:
        The reviews in the order of files and records.

    Raises:
        RunError: the predictions are of other reviews.
    """
    found: list[ScoredReview] = []
    for file in sorted(fileio.glob(io_utils.all_files_pattern(examples))):
        known = _rows(file, _REVIEW)
        answers = _rows(os.path.join(predictions, os.path.basename(file)), _ANSWERS)
        for row, said in zip(known, answers, strict=True):
            if row[ID] != said[ID]:
                raise RunError(
                    f"{predictions} holds predictions of {said[ID]!r} where {examples} has {row[ID]!r};"
                    " give predictions of the same reviews in the same order"
                )
            rating = int(row[RATING])
            found.append(
                ScoredReview(
                    id=row[ID],
                    text=row[TEXT],
                    label=int(row[LABEL]),
                    rating=None if rating == _NO_RATING else rating,
                    length_bucket=row[LENGTH_BUCKET].decode(),
                    positive={mode: float(said[role][POSITIVE]) for mode, role in ROLES.items()},
                )
            )
    return found


def _rows(file: str, features: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for batch in in_batches(read_records([file], tf.io.gfile.GFile), _BATCH):
        columns: dict[str, npt.NDArray[Any]] = {
            name: np.asarray(column) for name, column in tf.io.parse_example(batch, features).items()
        }
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))

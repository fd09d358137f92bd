"""Reads the test split, and both modes' predictions of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tfx.types import Artifact

from components.artifacts import read_split
from components.predictions.reading import read_predictions
from imdb_core.errors import RunError
from imdb_core.features import DECISION_THRESHOLD, ID, TEST, TEXT
from imdb_core.modes import Mode


@dataclass(frozen=True)
class ScoredReview:
    """A test review with both modes' predictions.

    `text` is UTF-8, `label` an index into `features.SENTIMENTS`, and `rating` 1 to 10, or None if unknown; `positive`
    holds the probability of the positive class by mode.
    """

    id: bytes
    text: bytes
    label: int
    rating: int | None
    length_bucket: str
    positive: Mapping[Mode, float]

    def predicted(self, mode: Mode) -> int:
        """Returns the class that a mode predicts: negative for equal probabilities, as argmax does."""
        return int(self.positive[mode] > DECISION_THRESHOLD)


def read_scored_reviews(examples: Artifact, predictions: Artifact) -> list[ScoredReview]:
    """Reads the test split in the order of files and records, and what node Predictions wrote for it, of both modes.

    Raises:
        RunError: The predictions are of other reviews.
    """
    known = read_predictions(read_split(predictions, TEST))
    found: list[ScoredReview] = []
    for place, (example, known_id) in enumerate(zip(read_split(examples, TEST), known.ids, strict=True)):
        (review_id,), (text,) = example[ID].bytes_list.value, example[TEXT].bytes_list.value
        if review_id != known_id:
            raise RunError(
                f"{predictions.uri} holds predictions of {known_id!r} where {examples.uri} has {review_id!r};"
                " give predictions of the same reviews in the same order"
            )
        found.append(
            ScoredReview(
                id=review_id,
                text=text,
                label=int(known.labels[place]),
                rating=known.ratings[place],
                length_bucket=known.length_buckets[place],
                positive={mode: float(values[place]) for mode, values in known.positive.items()},
            )
        )
    return found

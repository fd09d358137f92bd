"""Compares two versions of a model by live requests to a server."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from imdb_core import features
from imdb_core.settings import DataSettings, TableSettings
from imdb_core.spelling import spelling
from serving.client import review_files
from serving.client.results import Prediction
from serving.releases.errors import ReleaseError

_PERCENTILES: Final = (50, 99)
_DEFAULT: Final = TableSettings()
_POSITIVE: Final = features.SENTIMENTS[features.POSITIVE]


@dataclass(frozen=True)
class ComparedReview:
    """A review to send to both versions, and its true sentiment, `negative` or `positive`, if it is known."""

    text: str
    sentiment: str | None = None


@dataclass(frozen=True)
class Side:
    """One of the two versions.

    Attributes:
        name: The number or label that the user gave.
        versions: The versions that answered; more than one if the label moved in between.
        latency_ms: `p50` and `p99` of requests with one review each.
        accuracy: Accuracy on the reviews whose sentiment is known; None if there are none.
    """

    name: str
    versions: tuple[int, ...]
    latency_ms: dict[str, float]
    accuracy: float | None


@dataclass(frozen=True)
class Flip:
    """A review for which the versions predict different sentiments.

    Attributes:
        sentiment: Its true sentiment; None if unknown.
        sentiments: Predictions of the first and the second version.
        positive: Their probabilities of `positive`.
    """

    text: str
    sentiment: str | None
    sentiments: tuple[str, str]
    positive: tuple[float, float]


@dataclass(frozen=True)
class VersionComparison:
    """The differences between two versions.

    Attributes:
        agreement: Share of reviews for which both predict the same sentiment.
        flips: The other reviews, those with the widest gap between the probabilities first.
        greatest_difference: Widest gap between the probabilities, over all reviews.
    """

    reviews: int
    agreement: float
    flips: tuple[Flip, ...]
    greatest_difference: float
    sides: tuple[Side, Side]


# A function that sends one review to a version.
Ask = Callable[[str], Prediction]


def compare(
    reviews: Sequence[ComparedReview],
    names: tuple[str, str],
    asks: tuple[Ask, Ask],
    clock: Callable[[], float] = time.monotonic,
) -> VersionComparison:
    """Sends each review (at least one) to both versions in turn, so that both see the same load."""
    answers: tuple[list[Prediction], list[Prediction]] = ([], [])
    seconds: tuple[list[float], list[float]] = ([], [])
    for ask in asks:  # the first request is slow for reasons that are not the version's
        ask(reviews[0].text)
    for number, review in enumerate(reviews):
        # The second of two requests finds warmer caches, so the versions take turns.
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            start = clock()
            answers[side].append(asks[side](review.text))
            seconds[side].append(clock() - start)
    pairs = [
        (review, (one.label, other.label), (one.probabilities[_POSITIVE], other.probabilities[_POSITIVE]))
        for review, one, other in zip(reviews, *answers, strict=True)
    ]
    flips = [
        Flip(review.text, review.sentiment, sentiments, positive)
        for review, sentiments, positive in pairs
        if sentiments[0] != sentiments[1]
    ]
    first, second = (_side(*side) for side in zip(names, [reviews] * 2, answers, seconds, strict=True))
    return VersionComparison(
        reviews=len(reviews),
        agreement=1.0 - len(flips) / len(reviews),
        flips=tuple(sorted(flips, key=lambda flip: -abs(flip.positive[0] - flip.positive[1]))),
        greatest_difference=max(abs(one - other) for _, _, (one, other) in pairs),
        sides=(first, second),
    )


def read_reviews(file: Path, limit: int | None = None, table: TableSettings = _DEFAULT) -> list[ComparedReview]:
    """Reads reviews and, where the file has them, their labels; see `serving.client.review_files`.

    Empty lines are skipped. `limit` is the maximum number of reviews.

    Raises:
        ReviewPipelineError: There is no review, or a line cannot be read.
    """
    is_json = review_files.is_json(file)
    reviews = (
        ComparedReview(review.text if is_json else review.text.strip(), _sentiment(review, file))
        for review in review_files.read_reviews([file], table=table)
        if is_json or review.text.strip()
    )
    found = list(islice(reviews, limit))
    if not found:
        raise ReleaseError(f"{file} holds no review; give one a line, or JSON lines with {features.TEXT!r}")
    return found


def _side(
    name: str, reviews: Sequence[ComparedReview], answers: Sequence[Prediction], seconds: Sequence[float]
) -> Side:
    known = [
        review.sentiment == answer.label for review, answer in zip(reviews, answers, strict=True) if review.sentiment
    ]
    return Side(
        name,
        tuple(sorted({answer.model_version for answer in answers if answer.model_version is not None})),
        {f"p{percent}": float(np.percentile(seconds, percent)) * 1000 for percent in _PERCENTILES},
        sum(known) / len(known) if known else None,
    )


def _sentiment(review: review_files.Review, file: Path) -> str | None:
    """Reads a label in any of the spellings that are the default for the pipeline's sources."""
    if review.label is None:
        return None
    settings = DataSettings()
    labels = features.labels_by_spelling(settings.negative_labels, settings.positive_labels)
    label = labels.get(spelling(review.label))
    if label is None:
        place = " ".join(str(part) for part in next(iter(review.origin.items())))
        where = f"{place} of {file}"
        raise ReleaseError(f"{where} has label {review.label!r}; give one of {', '.join(labels)}, or leave it out")
    return features.SENTIMENTS[label]

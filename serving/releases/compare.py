"""Two versions of a model side by side, on live queries to a server."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from imdb_core import features
from imdb_core.settings import DataSettings
from serving.releases.errors import ReleaseError

_PERCENTILES: Final = (50, 99)


@dataclass(frozen=True)
class Review:
    """A text to ask about.

    Attributes:
        text: of the review.
        sentiment: its true one, `negative` or `positive`, where it is known.
    """

    text: str
    sentiment: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a version said of a review.

    Attributes:
        sentiment: `negative` or `positive`.
        positive: probability of `positive`.
        version: that answered; None if the server did not say.
    """

    sentiment: str
    positive: float
    version: int | None


@dataclass(frozen=True)
class Side:
    """One of two versions.

    Attributes:
        name: as it was asked for: a number or a label.
        versions: that answered; more than one if the label moved meanwhile.
        latency_ms: `p50` and `p99` of requests with one review each.
        accuracy: where the sentiments are known.
    """

    name: str
    versions: tuple[int, ...]
    latency_ms: dict[str, float]
    accuracy: float | None


@dataclass(frozen=True)
class Flip:
    """A review on which the versions disagree.

    Attributes:
        text: of the review.
        sentiment: its true one, where it is known.
        sentiments: of the first and the second version.
        positive: their probabilities of `positive`.
    """

    text: str
    sentiment: str | None
    sentiments: tuple[str, str]
    positive: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """How two versions differ.

    Attributes:
        reviews: that were asked.
        agreement: share of them on which both have the same sentiment.
        flips: the others, those with the widest gap between the probabilities first.
        greatest_difference: between the probabilities of any review.
        sides: the versions.
    """

    reviews: int
    agreement: float
    flips: tuple[Flip, ...]
    greatest_difference: float
    sides: tuple[Side, Side]


Ask = Callable[[str], Answer]


def compare(
    texts: Sequence[Review], names: tuple[str, str], asks: tuple[Ask, Ask], clock: Callable[[], float] = time.monotonic
) -> Comparison:
    """Asks two versions about each review, in turn, so that both meet the same load.

    Args:
        texts: at least one.
        names: of the versions.
        asks: sends one review to the first and to the second of them.
        clock: seconds.
    """
    answers: tuple[list[Answer], list[Answer]] = ([], [])
    seconds: tuple[list[float], list[float]] = ([], [])
    for ask in asks:  # what a first request takes is no version's fault
        ask(texts[0].text)
    for number, review in enumerate(texts):
        # Who goes second finds warmer caches.
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            start = clock()
            answers[side].append(asks[side](review.text))
            seconds[side].append(clock() - start)
    pairs = list(zip(texts, *answers, strict=True))
    flips = [
        Flip(review.text, review.sentiment, (one.sentiment, other.sentiment), (one.positive, other.positive))
        for review, one, other in pairs
        if one.sentiment != other.sentiment
    ]
    first, second = (_side(*side) for side in zip(names, [texts] * 2, answers, seconds, strict=True))
    return Comparison(
        reviews=len(texts),
        agreement=1.0 - len(flips) / len(texts),
        flips=tuple(sorted(flips, key=lambda flip: -abs(flip.positive[0] - flip.positive[1]))),
        greatest_difference=max(abs(one.positive - other.positive) for _, one, other in pairs),
        sides=(first, second),
    )


def read_reviews(file: Path, limit: int | None = None) -> list[Review]:
    """Reads reviews from JSON lines with `text` and perhaps `label`, or from lines of plain text.

    Args:
        file: JSON lines if its name ends in `.jsonl`, `.ndjson` or `.json`; empty lines do not count.
        limit: most reviews to read.

    Raises:
        ReleaseError: there is none, or a line cannot be used.
    """
    as_json = file.suffix in {".jsonl", ".ndjson", ".json"}
    found: list[Review] = []
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in _stripped(lines):
                if limit is not None and len(found) == limit:
                    break
                found.append(_parse(line, f"line {number} of {file}") if as_json else Review(line))
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{file} cannot be read: {error}; give UTF-8 text or JSON lines") from None
    if not found:
        raise ReleaseError(f"{file} holds no review; give one a line, or JSON lines with {features.TEXT!r}")
    return found


def _side(name: str, texts: Sequence[Review], answers: Sequence[Answer], seconds: Sequence[float]) -> Side:
    known = [
        review.sentiment == answer.sentiment for review, answer in zip(texts, answers, strict=True) if review.sentiment
    ]
    return Side(
        name,
        tuple(sorted({answer.version for answer in answers if answer.version is not None})),
        {f"p{percent}": float(np.percentile(seconds, percent)) * 1000 for percent in _PERCENTILES},
        sum(known) / len(known) if known else None,
    )


def _stripped(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, line.strip()


def _parse(line: str, where: str) -> Review:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ReleaseError(f"{where} is no JSON: {error}") from None
    text = row.get(features.TEXT) if isinstance(row, dict) else None
    if not isinstance(text, str):
        raise ReleaseError(f"{where} has no string {features.TEXT!r}; give an object with it")
    label = row.get(features.LABEL)
    return Review(text, None if label is None else _sentiment(label, where))


def _sentiment(label: object, where: str) -> str:
    """Reads a label in the spellings that the pipeline's sources know."""
    settings, spelled = DataSettings(), str(label).lower()
    for code, spellings in (
        (features.NEGATIVE, settings.negative_labels),
        (features.POSITIVE, settings.positive_labels),
    ):
        if spelled in spellings:
            return features.SENTIMENTS[code]
    known = ", ".join((*settings.negative_labels, *settings.positive_labels))
    raise ReleaseError(f"{where} has label {label!r}; give one of {known}, or none")

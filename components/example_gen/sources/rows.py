"""Checks whether a row can become an example, and gives the reason if it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from components.example_gen.splits import DECLARED
from imdb_core import features
from imdb_core.settings import DataSettings

RejectionReason = Literal[
    "bad_utf8", "no_text", "too_long", "unknown_label", "unknown_split", "bad_rating", "malformed"
]

LOWEST_RATING: Final = 1
HIGHEST_RATING: Final = 10
_EXCERPT_CHARACTERS: Final = 200
_BYTES_PER_CHARACTER: Final = 4


class RawRow(NamedTuple):
    """A row as its source contains it, unchecked.

    Attributes:
        source: File that contains the row.
        position: 1-based row of a table, or name of an archive's member.
        id: Id of the future example.
        text: str (with a lone surrogate for a byte that is not UTF-8) or bytes; anything else is malformed.
        label: A spelling, number or bool.
        split: Name of a split; None if the source has no splits.
        rating: A number or its spelling; None or blank if unknown.
    """

    source: str
    position: int | str
    id: str
    text: object
    label: object
    split: object = None
    rating: object = None


class ValidRow(NamedTuple):
    """A row that can become an example.

    Attributes:
        id: Id, unique within the source.
        text: The review.
        utf8: The review in UTF-8.
        label: 0 negative, 1 positive.
        rating: 1 to 10; None if unknown.
        split: `train`, `eval` or `test` as the source declares; None if the source has no splits.
    """

    id: str
    text: str
    utf8: bytes
    label: int
    rating: int | None
    split: str | None


class RejectedRow(NamedTuple):
    """An unusable row, which becomes a line of the dead-letter file.

    Attributes:
        source: File that contains the row.
        position: 1-based row of a table, or name of an archive's member.
        reason: RejectionReason why the row is unusable.
        excerpt: Start of the faulty value, at most 200 characters.
    """

    source: str
    position: int | str
    reason: RejectionReason
    excerpt: str


@dataclass(frozen=True)
class RowRules:
    """Checks rows.

    Attributes:
        labels: Label of each spelling, in lower case.
        max_bytes: Maximum length of a text, in UTF-8 bytes.
    """

    labels: Mapping[str, int]
    max_bytes: int

    @classmethod
    def of_tables(cls, data: DataSettings) -> "RowRules":
        """Returns the rules for tables, whose label spellings are settings."""
        labels = {spelling.lower(): features.NEGATIVE for spelling in data.negative_labels}
        labels |= {spelling.lower(): features.POSITIVE for spelling in data.positive_labels}
        return cls(labels, data.max_bytes)

    @classmethod
    def of_archives(cls, data: DataSettings) -> "RowRules":
        """Returns the rules for aclImdb, whose folders `neg` and `pos` are the labels, whatever the settings."""
        return cls({"neg": features.NEGATIVE, "pos": features.POSITIVE}, data.max_bytes)

    def check(self, raw: RawRow) -> ValidRow | RejectedRow:
        """Turns a raw row into a valid one, or into a rejected one with the reason."""
        try:
            text, utf8 = self._text(raw.text)
            label = self._label(raw.label)
            split = None if raw.split is None else _split(raw.split)
            return ValidRow(raw.id, text, utf8, label, _rating(raw.rating), split)
        except _UnusableError as fault:
            return RejectedRow(raw.source, raw.position, fault.reason, excerpt(fault.value))

    def _text(self, value: object) -> tuple[str, bytes]:
        given = "" if value is None else value
        if not isinstance(given, str | bytes):
            raise _UnusableError("malformed", given)
        # A text with too many characters has too many bytes; it need not be encoded.
        if len(given) > self.max_bytes:
            raise _UnusableError("too_long", given)
        try:
            text, utf8 = (given, given.encode()) if isinstance(given, str) else (given.decode(), given)
        except UnicodeError as error:
            raise _UnusableError("bad_utf8", given) from error
        if len(utf8) > self.max_bytes:
            raise _UnusableError("too_long", text)
        if not text or text.isspace():
            raise _UnusableError("no_text", text)
        return text, utf8

    def _label(self, value: object) -> int:
        label = self.labels.get(spelling(value))
        if label is None:
            raise _UnusableError("unknown_label", value)
        return label


class _UnusableError(Exception):
    """Carries a reason for rejection; never leaves this module."""

    def __init__(self, reason: RejectionReason, value: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.value = value


def _split(value: object) -> str:
    split = DECLARED.get(spelling(value))
    if split is None:
        raise _UnusableError("unknown_split", value)
    return split


def _rating(value: object) -> int | None:
    spelled = spelling(value)
    # pandas may write a missing number as `nan` to Parquet files.
    if spelled in {"", "nan"}:
        return None
    try:
        # `9.0` is a valid rating: one missing value turns a whole column into floats.
        stars = float(spelled)
    except ValueError as error:
        raise _UnusableError("bad_rating", value) from error
    if not stars.is_integer() or not LOWEST_RATING <= stars <= HIGHEST_RATING:
        raise _UnusableError("bad_rating", value)
    return int(stars)


def spelling(value: object) -> str:
    """Normalises the spelling of a label, split or rating: `1.0`, `1` and `" 1"` all become `1`."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip().lower()


def excerpt(value: object) -> str:
    """Returns the start of a value as valid text; bytes that are not UTF-8 become escapes."""
    if isinstance(value, bytes):
        shown = value[: _EXCERPT_CHARACTERS * _BYTES_PER_CHARACTER].decode(errors="backslashreplace")
    else:
        shown = "" if value is None else str(value)[:_EXCERPT_CHARACTERS]
    return shown.encode(errors="backslashreplace").decode()[:_EXCERPT_CHARACTERS]

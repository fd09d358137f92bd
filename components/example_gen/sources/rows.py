"""Checks whether a row can become an example, and gives the reason if it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeVar

from components.example_gen.splits import DECLARED
from imdb_core import features
from imdb_core.settings import DataSettings

_Meaning = TypeVar("_Meaning")
RejectionReason = Literal[
    "bad_utf8", "no_text", "too_long", "unknown_label", "unknown_split", "bad_rating", "malformed"
]

_EXCERPT: Final = 200  # characters


class RawRow(NamedTuple):
    """A row as its source contains it, unchecked."""

    source: str  # the file that contains the row
    position: int | str  # 1-based row of a table, or name of an archive's member
    id: str  # of the future example
    text: object  # str, with a lone surrogate for a byte that is not UTF-8, or bytes; anything else is malformed
    label: object  # a spelling, number or bool
    split: object = None  # a spelling; None if the source has no splits
    rating: object = None  # a number or its spelling; None or blank if unknown


class ValidRow(NamedTuple):
    """A row that can become an example."""

    id: str  # unique within the source
    text: str
    utf8: bytes  # the text in UTF-8
    label: int  # 0 negative, 1 positive
    rating: int | None  # 1 to 10; None if unknown
    split: str | None  # `train`, `eval` or `test` as the source declares; None if the source has no splits


class RejectedRow(NamedTuple):
    """An unusable row, which becomes a line of the dead-letter file; `source` and `position` are those of `RawRow`."""

    source: str
    position: int | str
    reason: RejectionReason
    excerpt: str  # the start of the faulty value


@dataclass(frozen=True)
class RowRules:
    """Checks rows."""

    labels: Mapping[str, int]  # by spelling in lower case
    max_bytes: int  # of a text in UTF-8

    @classmethod
    def of_tables(cls, data: DataSettings) -> "RowRules":
        """Returns the rules for tables, whose label spellings are settings."""
        return cls(features.labels_by_spelling(data.negative_labels, data.positive_labels), data.max_bytes)

    @classmethod
    def of_archives(cls, data: DataSettings) -> "RowRules":
        """Returns the rules for aclImdb, whose folders `neg` and `pos` are the labels, whatever the settings."""
        return cls({"neg": features.NEGATIVE, "pos": features.POSITIVE}, data.max_bytes)

    def check(self, raw: RawRow) -> ValidRow | RejectedRow:
        """Turns a raw row into a valid one, or into a rejected one with the reason."""
        try:
            text, utf8 = self._text(raw.text)
            label = _known(self.labels, raw.label, "unknown_label")
            split = None if raw.split is None else _known(DECLARED, raw.split, "unknown_split")
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


@dataclass(eq=False)
class _UnusableError(Exception):
    """Carries a reason for rejection; never leaves this module."""

    reason: RejectionReason
    value: object


def _known(meanings: Mapping[str, _Meaning], value: object, reason: RejectionReason) -> _Meaning:
    meaning = meanings.get(spelling(value))
    if meaning is None:
        raise _UnusableError(reason, value)
    return meaning


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
    if stars not in range(1, 11):
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
        value = value[: 4 * _EXCERPT].decode(errors="backslashreplace")  # a character has up to four bytes
    shown = "" if value is None else str(value)[:_EXCERPT]
    return shown.encode(errors="backslashreplace").decode()[:_EXCERPT]

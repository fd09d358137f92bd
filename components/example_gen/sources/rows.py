"""What a row must be to become an example, and why it is rejected where it is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from components.example_gen.splits import DECLARED
from imdb_core import features
from imdb_core.settings import DataSettings

Reason = Literal[
    "bad_utf8", "no_text", "too_long", "unknown_label", "unknown_split", "bad_rating", "malformed"
]  # fmt: skip

LOWEST_RATING: Final = 1
HIGHEST_RATING: Final = 10
_EXCERPT_CHARACTERS: Final = 200
_BYTES_PER_CHARACTER: Final = 4


class Raw(NamedTuple):
    """A row as its source gives it, nothing checked.

    Attributes:
        source: file that the row stands in.
        position: 1-based row of a table, or name of an archive's member.
        id: what the example will be called.
        text: str (a byte that is not UTF-8 shows as a lone surrogate) or bytes; anything else is malformed.
        label: a spelling, number or bool.
        split: name of a split; None where the source has none of its own.
        rating: a number or its spelling; None or blank where unknown.
    """

    source: str
    position: int | str
    id: str
    text: object
    label: object
    split: object = None
    rating: object = None


class Row(NamedTuple):
    """A row that can become an example.

    Attributes:
        id: unique within the source.
        text: the review.
        utf8: the same in UTF-8.
        label: 0 negative, 1 positive.
        rating: 1 to 10, None where unknown.
        split: `train`, `eval` or `test`, as the source says; None where it says nothing.
    """

    id: str
    text: str
    utf8: bytes
    label: int
    rating: int | None
    split: str | None


class Rejected(NamedTuple):
    """A row that cannot be used; becomes a line of the dead-letter file.

    Attributes:
        source, position: as in `Raw`.
        reason: why.
        excerpt: start of the value at fault, at most 200 characters.
    """

    source: str
    position: int | str
    reason: Reason
    excerpt: str


@dataclass(frozen=True)
class RowRules:
    """Checks rows.

    Attributes:
        labels: label of each spelling, in lower case.
        max_bytes: longest text accepted, in UTF-8 bytes.
    """

    labels: Mapping[str, int]
    max_bytes: int

    @classmethod
    def of_tables(cls, data: DataSettings) -> "RowRules":
        """Rules for sources that spell labels as the settings say."""
        labels = {spelling.lower(): features.NEGATIVE for spelling in data.negative_labels}
        labels |= {spelling.lower(): features.POSITIVE for spelling in data.positive_labels}
        return cls(labels, data.max_bytes)

    @classmethod
    def of_archives(cls, data: DataSettings) -> "RowRules":
        """Rules for aclImdb, whose folders `neg` and `pos` are the labels whatever the settings say."""
        return cls({"neg": features.NEGATIVE, "pos": features.POSITIVE}, data.max_bytes)

    def check(self, raw: Raw) -> Row | Rejected:
        """Turns a raw row into one that can be used, or says why it cannot."""
        try:
            text, utf8 = self._text(raw.text)
            label = self._label(raw.label)
            split = None if raw.split is None else _split(raw.split)
            return Row(raw.id, text, utf8, label, _rating(raw.rating), split)
        except _UnusableError as fault:
            return Rejected(raw.source, raw.position, fault.reason, excerpt(fault.value))

    def _text(self, value: object) -> tuple[str, bytes]:
        given = "" if value is None else value
        if not isinstance(given, str | bytes):
            raise _UnusableError("malformed", given)
        # A length in characters already proves a text too long, and spares encoding it.
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
    """Never leaves this module."""

    def __init__(self, reason: Reason, value: object) -> None:
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
    # `nan` is how Parquet files of pandas may mark a missing number.
    if spelled in {"", "nan"}:
        return None
    try:
        # `9.0` is a rating: whole columns become floating where one value is missing.
        stars = float(spelled)
    except ValueError as error:
        raise _UnusableError("bad_rating", value) from error
    if not stars.is_integer() or not LOWEST_RATING <= stars <= HIGHEST_RATING:
        raise _UnusableError("bad_rating", value)
    return int(stars)


def spelling(value: object) -> str:
    """Spells a label, split or rating in one way, whatever type its source gives it: `1.0`, `1` and `" 1"` are one."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip().lower()


def excerpt(value: object) -> str:
    """Shows the start of a value on one line of JSON, bytes that are no UTF-8 as escapes."""
    if isinstance(value, bytes):
        shown = value[: _EXCERPT_CHARACTERS * _BYTES_PER_CHARACTER].decode(errors="backslashreplace")
    else:
        shown = "" if value is None else str(value)[:_EXCERPT_CHARACTERS]
    return shown.encode(errors="backslashreplace").decode()[:_EXCERPT_CHARACTERS]

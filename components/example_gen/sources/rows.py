"""Checks whether a row can become an example, and gives the reason if it cannot."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from components.example_gen.sources.parts import split_names_of
from components.example_gen.splits import NO_SPLIT
from imdb_core import features
from imdb_core.excerpts import excerpt
from imdb_core.reviews.rows import RawRow, RejectedRow, RejectionReason
from imdb_core.settings import DataSettings
from imdb_core.spelling import spelling

# The values that `RowRules.unusable` counts.
RATING: Final = "rating"
SPLIT: Final = "split"

_FOLDERS: Final = {"neg": features.NEGATIVE, "pos": features.POSITIVE}


class ValidRow(NamedTuple):
    """A row that can become an example."""

    id: str  # unique within the source
    text: str
    utf8: bytes  # the text in UTF-8
    label: int  # 0 negative, 1 positive
    rating: int | None  # 1 to 10; None if unknown
    split: str | None  # `train`, `eval` or `test` as the source declares; None if the source has no splits


class IgnoredRow(NamedTuple):
    """A row that the settings leave out: `data.ignored_labels` by its label, or `data.splits` by its split."""

    what: str  # such as `label 3`


@dataclass(frozen=True)
class RowRules:
    """Checks rows.

    Attributes:
        labels: Class by spelling; None for labels whose rows are left out.
        max_bytes: Maximum length of a text in UTF-8.
        splits: Split by spelling.
        unusable: Counts the ratings and splits that could not be used; their rows are used without them.
        unknown: Counts the spellings of labels that are not known.
    """

    labels: Mapping[str, int | None]
    max_bytes: int
    splits: Mapping[str, str]
    unusable: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, data: DataSettings) -> "RowRules":
        """Returns the rules for tables, whose label spellings are settings."""
        known = features.labels_by_spelling(map(spelling, data.negative_labels), map(spelling, data.positive_labels))
        ignored = dict.fromkeys(map(spelling, data.ignored_labels))
        return cls({**known, **ignored}, data.max_bytes, split_names_of(data))

    def of_folders(self) -> "RowRules":
        """Returns the rules for files whose folders `neg` and `pos` are the labels, whatever the settings."""
        return replace(self, labels=_FOLDERS)

    def check(self, raw: RawRow) -> ValidRow | RejectedRow | IgnoredRow:
        """Turns a raw row into a valid one, into an ignored one, or into a rejected one with the reason."""
        try:
            text, utf8 = self._text(raw.text)
            label = self._label(raw.label)
        except _UnusableError as fault:
            return RejectedRow(raw.source, raw.position, fault.reason, excerpt(fault.value))
        if label is None:
            return IgnoredRow(f"label {excerpt(raw.label)}")
        split = self._split(raw.split)
        if split == NO_SPLIT:
            return IgnoredRow(f"split {excerpt(raw.split)}")
        return ValidRow(raw.id, text, utf8, label, self._rating(raw.rating), split)

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

    def _label(self, value: object) -> int | None:
        spelled = spelling(value)
        if spelled not in self.labels:
            self.unknown[excerpt(spelled, 40)] += 1
            raise _UnusableError("unknown_label", value)
        return self.labels[spelled]

    def _split(self, value: object) -> str | None:
        if value is None:
            return None
        split = self.splits.get(spelling(value))
        if split is None:
            # The source has splits. A row that says none of them must not be tested on.
            self.unusable[SPLIT] += 1
            return features.TRAIN
        return split

    def _rating(self, value: object) -> int | None:
        spelled = spelling(value)
        # pandas may write a missing number as `nan` to Parquet files.
        if spelled in {"", "nan"}:
            return None
        # `9.0` is a valid rating: one missing value turns a whole column into floats.
        if not (spelled.isascii() and spelled.isdecimal()) or not 1 <= int(spelled) <= features.BEST_RATING:
            self.unusable[RATING] += 1
            return None
        return int(spelled)


@dataclass(eq=False)
class _UnusableError(Exception):
    """Carries a reason for rejection; never leaves this module."""

    reason: RejectionReason
    value: object

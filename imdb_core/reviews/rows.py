"""What a reader of reviews yields."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

RejectionReason = Literal["bad_utf8", "no_text", "too_long", "unknown_label", "unknown_split", "malformed"]

# Why a file is not read.
LeftOutReason = Literal["hidden", "unlabelled", "no table of reviews", "data.splits leaves it out"]


class RawRow(NamedTuple):
    """A row as its source contains it, unchecked."""

    source: str  # the file that contains the row; a member of an archive is `ARCHIVE!MEMBER`
    position: int | str  # 1-based row of a table, or name of an archive's member
    id: str  # of the future example
    text: object  # str, with a lone surrogate for a byte that is not UTF-8, or bytes; anything else is malformed
    label: object  # a spelling, number or bool
    split: object = None  # a spelling; None if the source has no splits
    rating: object = None  # a number or its spelling; None or blank if unknown
    key: object = None  # the value of a column `id`, if there is one


class RejectedRow(NamedTuple):
    """An unusable row, which becomes a line of the dead-letter file; `source` and `position` are those of `RawRow`."""

    source: str
    position: int | str
    reason: RejectionReason
    excerpt: str  # the start of the faulty value, safe to show


@dataclass(frozen=True)
class Found:
    """What a reader recognised in a file, yielded before the rows.

    Attributes:
        source: The file.
        format: In words, such as `CSV, separator ';', UTF-8 with a byte order mark`.
        columns: In words, such as `text in 'review', label in 'sentiment'`; empty if the file has no columns.
        has_splits: Whether the rows name their splits.
        split: The split that the path of the file names.
    """

    source: str
    format: str
    columns: str = ""
    has_splits: bool = False
    split: str | None = None

    def __str__(self) -> str:
        return "; ".join(part for part in (self.format, self.columns) if part)


@dataclass(frozen=True)
class LeftOut:
    """Files that are not used: one, or those of a folder in an archive.

    Attributes:
        source: The file or folder.
        reason: Why it is not used.
        files: How many files they are.
        rows: How many rows without a label were read before that was known.
    """

    source: str
    reason: LeftOutReason
    files: int = 1
    rows: int = 0

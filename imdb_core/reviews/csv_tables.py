"""Reads CSV files row by row, in whatever dialect.

A misplaced quote rejects its row instead of garbling it, and an unclosed quote costs one row, not all the following.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

from imdb_core.excerpts import excerpt
from imdb_core.reviews.columns import AmbiguousColumnError, Columns, find_columns, place_of
from imdb_core.reviews.dialects import Dialect, read_records
from imdb_core.reviews.rows import RawRow, RejectedRow, RejectionReason
from imdb_core.settings import TableSettings
from imdb_core.spelling import spelling

AUTO: Final = "auto"


def first_record(head: str, dialect: Dialect) -> list[str]:
    """Returns the first record of a file by its start."""
    record = next(read_records(io.StringIO(head, newline=""), dialect), [])
    return record if isinstance(record, list) else []


def has_header(first: Sequence[str], table: TableSettings, labels: frozenset[str]) -> bool:
    """Returns whether the first record of a file names its columns.

    It does if a column has one of the usual names or that of a setting. Otherwise it does unless one of its fields is a
    label, a number or as long as a text.
    """
    if table.header != AUTO:
        return table.header == "yes"
    if _named(first, table):
        return True
    spelled = [spelling(field) for field in first]
    if any(field in labels or field.replace(".", "", 1).lstrip("-").isdecimal() for field in spelled):
        return False
    return bool(first) and all(len(field) <= _LONGEST_NAME and len(field.split()) <= _MOST_WORDS for field in first)


_LONGEST_NAME: Final = 40
_MOST_WORDS: Final = 3


def _named(first: Sequence[str], table: TableSettings) -> bool:
    try:
        found = find_columns(first, table)
    except AmbiguousColumnError:
        return True
    numbers = (table.text_column.isdecimal(), table.label_column.isdecimal())
    return any(name is not None and not number for name, number in zip((found.text, found.label), numbers, strict=True))


def guess_columns(sample: Sequence[Sequence[str]], labels: frozenset[str]) -> tuple[int, int] | None:
    """Finds the text and the label of a table of two columns without names: one holds labels alone, the other none."""
    if not sample or any(len(record) != 2 for record in sample):  # noqa: PLR2004 - text and label
        return None
    are_labels = [all(spelling(record[place]) in labels for record in sample) for place in (0, 1)]
    if are_labels == [True, False]:
        return 1, 0
    return (0, 1) if are_labels == [False, True] else None


def read_rows(
    records: Iterator[list[str] | csv.Error], names: Sequence[str], columns: Columns, source: str, name: str
) -> Iterator[RawRow | RejectedRow]:
    """Turns the records after the header into rows; ids are `NAME:1`, `NAME:2`, ...

    Args:
        records: See `read_records`.
        names: The names of the columns, or empty texts if the file has no header.
        columns: See `find_columns`.
        source: The file.
        name: Name of the file in ids.
    """
    text, label, split, rating, key = (
        place_of(names, column) for column in (columns.text, columns.label, columns.split, columns.rating, columns.key)
    )
    width = len(names)
    for number, record in enumerate(records, 1):
        if isinstance(record, csv.Error):
            reason: RejectionReason = "too_long" if "field limit" in str(record) else "malformed"
            yield RejectedRow(source, number, reason, str(record))
            continue
        # Separators at the end of a line give empty fields.
        if len(record) < width or any(record[width:]):
            yield RejectedRow(source, number, "malformed", f"{len(record)} fields, the header has {width}")
            continue
        yield RawRow(
            source,
            number,
            f"{name}:{number}",
            None if text is None else record[text],
            None if label is None else record[label],
            None if split is None else record[split],
            None if rating is None else record[rating],
            None if key is None else record[key],
        )


def shown(line: str) -> str:
    """Returns a line as it can be shown in a message."""
    return repr(excerpt(line.rstrip("\r\n")))

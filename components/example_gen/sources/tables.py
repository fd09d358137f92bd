"""Tables of reviews: CSV, TSV, JSON lines and Parquet, the first three also gzipped.

CSV and TSV are read as RFC 4180 says: a field in double quotes may hold separators, line breaks and doubled quotes. A
quote out of place rejects the row instead of garbling it, and a quote that is never closed costs one row, not all
that follow.
"""

import csv
import io
import json
from collections import deque
from collections.abc import Collection, Iterator
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet

from components.example_gen.sources.files import opened
from components.example_gen.sources.rows import Raw, Reason, Rejected, excerpt
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings

# Bytes that are not UTF-8 become surrogates U+DC80..U+DCFF; this one stands in for NUL, which csv refuses before
# Python 3.11, and no decoding yields it.
_NUL_STAND_IN: Final = "\ud800"
_BOM: Final = b"\xef\xbb\xbf"
_BATCH_ROWS: Final = 1024


def read_csv(path: str, name: str, data: DataSettings, delimiter: str) -> Iterator[Raw | Rejected]:
    """Reads a table with a header line.

    Args:
        path: of the file.
        name: of the file in ids; the rows are `NAME:1`, `NAME:2`, ..., the header not counted.
        data: the names of the columns.
        delimiter: between fields.

    Yields:
        One raw row a record; a rejected one where it cannot be parsed or has another number of fields than the header.

    Raises:
        SourceError: the file cannot be read, or its header lacks a column.
    """
    # No field that may stay is longer, since a character takes a byte or more.
    csv.field_size_limit(data.max_bytes)
    with opened(path) as file:
        records = _records(io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline=""), delimiter)
        header = next(records, [])
        columns = [column.strip() for column in header] if isinstance(header, list) else []
        _require(columns, path, data)
        text, label = columns.index(data.text_column), columns.index(data.label_column)
        split = columns.index(data.split_column) if data.split_column in columns else None
        rating = columns.index(data.rating_column) if data.rating_column in columns else None
        for number, record in enumerate(records, 1):
            if isinstance(record, csv.Error):
                reason: Reason = "too_long" if "field limit" in str(record) else "malformed"
                yield Rejected(path, number, reason, str(record))
            elif len(record) != len(columns):
                yield Rejected(path, number, "malformed", f"{len(record)} fields, the header has {len(columns)}")
            else:
                yield Raw(
                    path,
                    number,
                    f"{name}:{number}",
                    record[text],
                    record[label],
                    None if split is None else record[split],
                    None if rating is None else record[rating],
                )


def read_jsonl(path: str, name: str, data: DataSettings) -> Iterator[Raw | Rejected]:
    """Reads one JSON object a line; blank lines count as positions but are no rows.

    Args:
        path: of the file.
        name: of the file in ids; the rows are `NAME:LINE`.
        data: the names of the keys.

    Yields:
        One raw row a line; a rejected one where it is no JSON object.

    Raises:
        SourceError: the file cannot be read, or not one of its objects has the text or the label.
    """
    seen: dict[str, None] = {}
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            content = line.removeprefix(_BOM) if number == 1 else line
            if not content.strip():
                continue
            try:
                found = json.loads(content.decode())
            except UnicodeDecodeError:
                yield Rejected(path, number, "bad_utf8", excerpt(content))
                continue
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict):
                yield Rejected(path, number, "malformed", excerpt(content))
                continue
            seen.update(dict.fromkeys(found))
            yield Raw(
                path,
                number,
                f"{name}:{number}",
                found.get(data.text_column),
                found.get(data.label_column),
                _declared(found[data.split_column]) if data.split_column in found else None,
                found.get(data.rating_column),
            )
    if seen:
        _require(seen, path, data)


def read_parquet(path: str, name: str, data: DataSettings) -> Iterator[Raw | Rejected]:
    """Reads a Parquet file, column by column and a batch of rows at a time.

    Args:
        path: of the file.
        name: of the file in ids; the rows are `NAME:1`, `NAME:2`, ...
        data: the names of the columns.

    Yields:
        One raw row a row.

    Raises:
        SourceError: the file cannot be read, or lacks a column.
    """
    with opened(path) as file:
        table = pa.parquet.ParquetFile(file)
        columns = table.schema_arrow.names
        _require(columns, path, data)
        wanted = (data.text_column, data.label_column, data.split_column, data.rating_column)
        number = 0
        for batch in table.iter_batches(_BATCH_ROWS, columns=[column for column in wanted if column in columns]):
            texts, labels, splits, ratings = (
                _values(batch.column(column)) if column in columns else [None] * batch.num_rows for column in wanted
            )
            for text, label, split, rating in zip(texts, labels, splits, ratings, strict=True):
                number += 1
                declared = _declared(split) if data.split_column in columns else None
                yield Raw(path, number, f"{name}:{number}", text, label, declared, rating)


def _values(column: pa.Array) -> list[object]:
    """The values of a column; strings as bytes, since Parquet does not promise that they are UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    values: list[object] = column.to_pylist()
    return values


def _declared(split: object) -> object:
    """Where a source has splits, a missing one is as good as an unknown one."""
    return "" if split is None else split


def _require(found: Collection[str], path: str, data: DataSettings) -> None:
    for setting, column in (("data.text_column", data.text_column), ("data.label_column", data.label_column)):
        if column not in found:
            raise SourceError(
                f"{path} has no column {column!r}, only: {excerpt(', '.join(found)) or 'none'}; "
                f"set {setting} to the right one"
            )


def _records(text: IO[str], delimiter: str) -> Iterator[list[str] | csv.Error]:
    """Parses records; where that fails, yields the error and starts again on the line after the one it began on."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.rewind()
            yield error
            continue
        marked = lines.marked
        lines.start()
        if record:
            yield [field.replace(_NUL_STAND_IN, "\0") for field in record] if marked else record


class _Lines:
    """Lines of a file, of which those of the record being read can be read again."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.marked = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text)
        self._record.append(line)
        if "\0" not in line:
            return line
        self.marked = True
        return line.replace("\0", _NUL_STAND_IN)

    def start(self) -> None:
        """Begins a new record."""
        self._record.clear()
        self.marked = False

    def rewind(self) -> None:
        """Begins a new record on the second line of this one."""
        self._again.extendleft(reversed(self._record[1:]))
        self.start()

"""Reads tables of reviews: CSV, TSV, JSON lines and Parquet, the first three also gzipped.

CSV and TSV follow RFC 4180: a field in double quotes may contain separators, line breaks and doubled quotes. A
misplaced quote rejects its row instead of garbling it, and an unclosed quote costs one row, not all the following.
"""

import csv
import io
import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet

from components.example_gen.sources.files import opened
from components.example_gen.sources.rows import RawRow, RejectedRow, RejectionReason, excerpt
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings

# Replaces NUL, which csv refuses before Python 3.11. No decoding yields it: bytes that are not UTF-8 become the
# surrogates U+DC80..U+DCFF.
_NUL_STAND_IN: Final = "\ud800"
_BOM: Final = b"\xef\xbb\xbf"


def read_csv(path: str, name: str, data: DataSettings, delimiter: str) -> Iterator[RawRow | RejectedRow]:
    """Reads a table with a header line.

    Args:
        path: Path of the file.
        name: Name of the file in ids; the rows are `NAME:1`, `NAME:2`, ..., not counting the header.
        data: Settings with the names of the columns.
        delimiter: Separator of the fields.

    Yields:
        One raw row per record, or a rejected row if the record cannot be parsed or does not match the header.

    Raises:
        SourceError: The file cannot be read, or its header lacks a column.
    """
    # Every longer field is too long: a character takes at least one byte.
    csv.field_size_limit(data.max_bytes)
    with opened(path) as file, io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as lines:
        records = _records(lines, delimiter)
        header = next(records, [])
        columns = [column.strip() for column in header] if isinstance(header, list) else []
        _require(columns, path, data)
        for number, record in enumerate(records, 1):
            if isinstance(record, csv.Error):
                reason: RejectionReason = "too_long" if "field limit" in str(record) else "malformed"
                yield RejectedRow(path, number, reason, str(record))
            elif len(record) != len(columns):
                yield RejectedRow(path, number, "malformed", f"{len(record)} fields, the header has {len(columns)}")
            else:
                # Reversed, so that the first of several columns with the same name counts.
                yield _raw_row(path, number, name, dict(zip(columns[::-1], record[::-1], strict=True)), data)


def read_jsonl(path: str, name: str, data: DataSettings) -> Iterator[RawRow | RejectedRow]:
    """Reads one JSON object per line; see `read_csv` for the arguments.

    Yields:
        One raw row per line, or a rejected row if the line is not a JSON object. Blank lines give no row but count in
        positions and ids.

    Raises:
        SourceError: The file cannot be read, or none of its objects has the text or the label.
    """
    seen: dict[str, None] = {}
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            content = line.removeprefix(_BOM) if number == 1 else line
            if not content.strip():
                continue
            found = None
            reason: RejectionReason = "malformed"
            try:
                found = json.loads(content.decode())
            except UnicodeDecodeError:
                reason = "bad_utf8"
            except (ValueError, RecursionError):
                pass
            if isinstance(found, dict):
                seen.update(dict.fromkeys(found))
                yield _raw_row(path, number, name, found, data)
            else:
                yield RejectedRow(path, number, reason, excerpt(content))
    if seen:
        _require(seen, path, data)


def read_parquet(path: str, name: str, data: DataSettings) -> Iterator[RawRow]:
    """Reads the needed columns of a Parquet file in batches of rows; see `read_csv` for the arguments.

    Raises:
        SourceError: The file cannot be read, or lacks a column.
    """
    with opened(path) as file:
        table = pa.parquet.ParquetFile(file)
        _require(table.schema_arrow.names, path, data)
        wanted = (data.text_column, data.label_column, data.split_column, data.rating_column)
        columns = [column for column in wanted if column in table.schema_arrow.names]
        batches = table.iter_batches(1024, columns=columns)
        rows = chain.from_iterable(
            zip(*(_values(batch.column(column)) for column in columns), strict=True) for batch in batches
        )
        for number, row in enumerate(rows, 1):
            yield _raw_row(path, number, name, dict(zip(columns, row, strict=True)), data)


def _raw_row(path: str, number: int, name: str, values: Mapping[str, object], data: DataSettings) -> RawRow:
    split = values.get(data.split_column)
    if split is None and data.split_column in values:
        split = ""  # the source has splits, so a missing one is as unusable as an unknown one
    text, label, rating = map(values.get, (data.text_column, data.label_column, data.rating_column))
    return RawRow(path, number, f"{name}:{number}", text, label, split, rating)


def _values(column: pa.Array) -> list[object]:
    """Returns the values of a column; strings as bytes, since Parquet does not guarantee that they are UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    values: list[object] = column.to_pylist()
    return values


def _require(found: Collection[str], path: str, data: DataSettings) -> None:
    for setting, column in (("data.text_column", data.text_column), ("data.label_column", data.label_column)):
        if column not in found:
            raise SourceError(
                f"{path} has no column {column!r}, only: {excerpt(', '.join(found)) or 'none'}; "
                f"set {setting} to the right one"
            )


def _records(text: IO[str], delimiter: str) -> Iterator[list[str] | csv.Error]:
    """Parses records; for one that fails, yields the error and continues on the line after its first."""
    again: deque[str] = deque()
    read: list[str] = []  # the lines of the current record

    def parse() -> Iterator[list[str]]:
        return csv.reader(lines(), delimiter=delimiter, strict=True)

    def lines() -> Iterator[str]:
        while line := again.popleft() if again else text.readline():
            read.append(line)
            yield line.replace("\0", _NUL_STAND_IN)

    records = parse()
    while True:
        read.clear()
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            again.extendleft(reversed(read[1:]))
            records = parse()
            yield error
            continue
        if record:
            has_nul = any("\0" in line for line in read)
            yield [field.replace(_NUL_STAND_IN, "\0") for field in record] if has_nul else record

"""Finds out how a CSV file separates and quotes its fields."""

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import clevercsv

from imdb_core.excerpts import excerpt
from imdb_core.settings import TableSettings
from imdb_core.spelling import spelling

AUTO: Final = "auto"
NONE: Final = "none"
TAB: Final = "tab"
DELIMITERS: Final = [",", ";", "\t", "|"]

_TITLES: Final = {"\t": "tab", ",": "','", ";": "';'", "|": "'|'"}
_CUT: Final = "unexpected end of data"
# Replaces NUL, which csv refuses before Python 3.11. No decoding yields it: bytes that are not UTF-8 become the
# surrogates U+DC80..U+DCFF.
_NUL_STAND_IN: Final = "\ud800"
# clevercsv tries every dialect on all of the sample.
_SAMPLE: Final = 20_000  # characters


@dataclass(frozen=True)
class Dialect:
    """How fields are separated and quoted.

    Attributes:
        delimiter: The separator.
        quote: The character around a field; None if quotes are ordinary characters.
        escape: The character before a quote inside a field; None if such quotes are doubled.
    """

    delimiter: str
    quote: str | None = '"'
    escape: str | None = None

    def __str__(self) -> str:
        parts = [f"separator {_TITLES.get(self.delimiter, repr(excerpt(self.delimiter)))}"]
        if self.quote is None:
            parts.append("no quotes")
        elif self.quote != '"':
            parts.append(f"quote {excerpt(self.quote)}")
        if self.escape:
            parts.append(f"escape {excerpt(self.escape)}")
        return ", ".join(parts)

    def reader(self, lines: Iterator[str]) -> Any:
        """Returns csv's strict reader of lines."""
        if self.escape and self.quote:
            # csv's own escapes would take away every such character, also where it escapes nothing.
            escaped, doubled = self.escape + self.quote, 2 * self.quote
            lines = (line.replace(escaped, doubled) for line in lines)
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or '"',
            quoting=csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
            strict=True,
        )


def find_dialect(head: str, table: TableSettings, *, tabs: bool, labels: frozenset[str] = frozenset()) -> Dialect:
    """Finds out the dialect of a file; settings overrule what it looks like.

    Args:
        head: The start of the file.
        table: The settings.
        tabs: Whether the file's name or the settings say that tabs separate the fields.
        labels: All known spellings of labels: a separator that leaves a column of labels alone is the right one.
    """
    sample = _whole_lines(head)
    delimiters = ["\t"] if tabs else DELIMITERS
    if table.delimiter != AUTO:
        delimiters = ["\t" if table.delimiter in (TAB, "\\t") else table.delimiter]
    found = _detected(sample, delimiters, labels, is_whole=sample == head)
    quote = found.quote if table.quote == AUTO else (None if table.quote == NONE else table.quote)
    escape = found.escape if table.escape == AUTO else (None if table.escape == NONE else table.escape)
    return Dialect(found.delimiter, quote, escape)


def _detected(sample: str, delimiters: list[str], labels: frozenset[str], *, is_whole: bool) -> Dialect:
    candidates = [delimiter for delimiter in delimiters if delimiter in sample]
    if not candidates:
        return Dialect(delimiters[0])
    if len(candidates) > 1:
        labelled = [delimiter for delimiter in candidates if _has_labels(sample, delimiter, labels)]
        candidates = labelled if len(labelled) == 1 else candidates
    detected = clevercsv.Detector().detect(sample, delimiters=candidates) if len(candidates) > 1 else None
    delimiter = detected.delimiter if detected and detected.delimiter in candidates else candidates[0]
    if len(candidates) > 1 and detected is None:
        delimiter = max(candidates, key=lambda one: _consistency(sample, one))
    # Of dialects that read a sample equally well the first is the usual one.
    return min(_quotings(sample, delimiter), key=lambda dialect: _faults(sample, dialect, is_whole=is_whole))


def _quotings(sample: str, delimiter: str) -> list[Dialect]:
    """Returns the dialects with a separator, the usual one first."""
    escaping = [Dialect(delimiter, '"', "\\")] if '\\"' in sample else []
    return [Dialect(delimiter), *escaping, Dialect(delimiter, None)]


def _has_labels(sample: str, delimiter: str, labels: frozenset[str]) -> bool:
    """Returns whether a column holds labels alone, apart from the first record, which may be a header."""
    for dialect in _quotings(sample, delimiter)[:-1]:
        records = [one for one in _sample_records(sample, dialect) if isinstance(one, list)][1:]
        columns = zip(*records, strict=False)
        if any(all(spelling(field) in labels for field in column) for column in columns):
            return True
    return False


def _consistency(sample: str, delimiter: str) -> float:
    """Returns the share of records with the most frequent number of fields, where that is more than one."""
    counts = [len(record) for record in _sample_records(sample, Dialect(delimiter)) if isinstance(record, list)]
    usual = max(set(counts), key=counts.count, default=1)
    return counts.count(usual) / len(counts) if usual > 1 else 0.0


def _faults(sample: str, dialect: Dialect, *, is_whole: bool) -> int:
    """Counts the records of a sample that cannot be read, or that have fewer or more fields than most."""
    records = list(_sample_records(sample, dialect, is_whole=is_whole))
    counts = [len(record) for record in records if isinstance(record, list)]
    usual = max(set(counts), key=counts.count, default=0)
    return len(records) - counts.count(usual)


def _sample_records(sample: str, dialect: Dialect, *, is_whole: bool = False) -> Iterator[list[str] | csv.Error]:
    for record in read_records(io.StringIO(sample, newline=""), dialect):
        # The end of the sample may cut a field of several lines.
        if not is_whole and isinstance(record, csv.Error) and _CUT in str(record):
            return
        yield record


def _whole_lines(head: str) -> str:
    """Returns the start of a file up to a line end, so that no field is cut off."""
    if len(head) <= _SAMPLE:
        return head
    cut = max(head.rfind("\n", 0, _SAMPLE), head.rfind("\r", 0, _SAMPLE))
    return head[: cut + 1] if cut > 0 else head[:_SAMPLE]


def read_records(text: IO[str], dialect: Dialect) -> Iterator[list[str] | csv.Error]:
    """Parses records; for one that fails, yields the error and continues on the line after its first."""
    again: deque[str] = deque()
    read: list[str] = []  # the lines of the current record

    def lines() -> Iterator[str]:
        while (line := again.popleft() if again else text.readline()) != "":
            read.append(line)
            yield line.replace("\0", _NUL_STAND_IN)

    records = dialect.reader(lines())
    while True:
        read.clear()
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            again.extendleft(reversed(read[1:]))
            records = dialect.reader(lines())
            yield error
            continue
        if record:
            has_nul = any("\0" in line for line in read)
            yield [field.replace(_NUL_STAND_IN, "\0") for field in record] if has_nul else record

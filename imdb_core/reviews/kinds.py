"""Recognises the format of a file by its content, then by its name."""

import json
from typing import Final, Literal, NamedTuple

from imdb_core.excerpts import excerpt
from imdb_core.reviews.errors import NoReviewsError

Kind = Literal["csv", "tsv", "jsonl", "json", "parquet", "text"]

_PACKED: Final = (".gz", ".bz2", ".xz", ".zst", ".gzip")
_NAMES: Final[dict[str, Kind]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


class _Foreign(NamedTuple):
    """A format that is recognised and not read."""

    start: bytes
    title: str
    remedy: str


_AS_CSV: Final = "save it as CSV (UTF-8)"
_FOREIGN: Final = (
    _Foreign(b"PK\x03\x04\x14\x00\x06\x00", "an Excel workbook", _AS_CSV),
    _Foreign(b"\xd0\xcf\x11\xe0", "an old Excel workbook", _AS_CSV),
    _Foreign(b"%PDF", "a PDF file", "export its text"),
    _Foreign(b"SQLite format 3\0", "a SQLite database", "export the table as CSV"),
    _Foreign(b"\x89HDF", "an HDF5 file", "export the table as CSV or Parquet"),
    _Foreign(b"ARROW1", "an Arrow file", "save it as Parquet"),
    _Foreign(b"Obj\x01", "an Avro file", "export it as JSON lines"),
    _Foreign(b"ORC", "an ORC file", "export it as Parquet"),
    _Foreign(b"\x80\x04\x95", "a Python pickle", "export the table as CSV or Parquet"),
    _Foreign(b"\x7fELF", "a program", "give a table of reviews"),
    _Foreign(b"\x89PNG", "a picture", "give a table of reviews"),
    _Foreign(b"\xff\xd8\xff", "a picture", "give a table of reviews"),
    _Foreign(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "pack it as .zip or .tar.gz"),
    _Foreign(b"Rar!", "a RAR archive", "pack it as .zip or .tar.gz"),
)
_HTML: Final = (b"<!doctype html", b"<html", b"<?xml")


def foreign(source: str, head: bytes) -> NoReviewsError | None:
    """Returns the error for a format that is not read, which says how to get one that is."""
    found = next((one for one in _FOREIGN if head.startswith(one.start)), None)
    if found is None and head.lstrip().lower().startswith(_HTML):
        found = _Foreign(b"", "a web page or XML", "export the reviews as CSV or JSON lines")
    if found is None:
        return None
    return NoReviewsError(f"{excerpt(source, 500)} is {found.title}, which is not read; {found.remedy}")


def kind_of(name: str, head: str, *, labelled: bool) -> Kind | None:
    """Recognises a text file by its start and its name.

    Args:
        name: The name of the file; endings of compressions do not count.
        head: The start of the decoded content.
        labelled: Whether labels are needed. A file that may also be plain text is then a table.

    Returns:
        The format, or None for a file that may be a table or plain text.
    """
    start = head.lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        return "json"
    if start.startswith("{") and _is_json_lines(start):
        return "jsonl"
    if start.startswith("{") and name_kind(name) is None and name.lower().endswith(".json"):
        return "json"
    named = name_kind(name)
    if named in ("csv", "tsv"):
        return named
    return "csv" if labelled else None


def name_kind(name: str) -> Kind | None:
    """Returns the format that the name of a file shows; None if it shows none."""
    bare = name.lower()
    while bare.endswith(_PACKED):
        bare = bare.rpartition(".")[0]
    return next((kind for ending, kind in _NAMES.items() if bare.endswith(ending)), None)


def _is_json_lines(start: str) -> bool:
    line = start.partition("\n")[0]
    try:
        return isinstance(json.loads(line), dict)
    except RecursionError:
        return True
    except ValueError:
        # A long first line is cut off in the head; an object over several lines is not JSON lines.
        return "\n" not in start and len(start) > 1 and '"' in start[:200]

"""Reads reviews from files and pipes.

JSON lines are objects with a string `text` and, optionally, `id` and `label`; text has one review a line. Tables,
archives and other compressions are read by the reader of the training data, see `imdb_core.reviews`: a file is what its
content shows.
"""

import glob
import gzip
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imdb_core import features
from imdb_core.excerpts import excerpt
from imdb_core.reviews.errors import ReviewsError
from imdb_core.reviews.reading import AUTO, ReviewReader
from imdb_core.reviews.rows import Found, LeftOut, RawRow, RejectedRow
from imdb_core.reviews.unpacking import compression_of, container_of
from imdb_core.settings import TableSettings
from serving.client.errors import ReviewFileError

GZIP: Final = ".gz"
_JSON_LINES: Final = (".jsonl", ".ndjson", ".json")
# What a file with a review a line is called.
_TEXT_LINES: Final = "text with one review a line"
_OBJECT_LINES: Final = "JSON lines"
_DEFAULT: Final = TableSettings()
# The model reads the end of a text; a limit only keeps damaged files from filling the memory.
_LONGEST: Final = 1 << 30
# JSON can write half of a surrogate pair, UTF-8 cannot.
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")
_EXPECTED: Final = 'expected a JSON object with a string `text`, like {"text": "A film I will not forget."}'


Tell = Callable[[str], None]


def _silent(sentence: str) -> None:
    del sentence


@dataclass(frozen=True)
class Review:
    """A review and its place in the input.

    Attributes:
        origin: The fields that identify the review in the output: `file`, `line` or `row` of a table (1-based), and
            `id`, if it has them.
        label: The `label` of a JSON line, not validated; None if it has none.
    """

    text: str
    origin: Mapping[str, Any]
    label: Any = None


def find_files(pattern: str, output: Path | None = None) -> list[Path]:
    """Finds files of reviews, sorted by name.

    Args:
        pattern: A path, or a glob in which `**` also matches subfolders.
        output: The file for the predictions, which must not be one of the files.

    Raises:
        ReviewFileError: No file matches, or `output` does.
    """
    place = os.path.expanduser(pattern)
    names = [place] if os.path.isfile(place) else sorted(glob.glob(place, recursive=True))
    files = [Path(name) for name in names if os.path.isfile(name)]
    if not files:
        raise ReviewFileError(f"there is no file {pattern}; give a file, or a pattern in quotes like 'reviews/*.jsonl'")
    if output and output.resolve() in {file.resolve() for file in files}:
        raise ReviewFileError(f"{output} is among the files of reviews; write the predictions to another file")
    return files


def read_reviews(files: Sequence[Path], *, table: TableSettings = _DEFAULT, tell: Tell = _silent) -> Iterator[Review]:
    """Reads reviews one by one.

    Args:
        files: The files, in the order in which they are read. Only if there are several does `origin` name the file.
        table: How the files are read.
        tell: Called with one sentence for each table or archive: what was recognised, and what was left out.

    Raises:
        ReviewFileError: A file cannot be read, or a review is unusable; the message names the line or row.
    """
    for file in files:
        origin = {"file": str(file)} if len(files) > 1 else {}
        try:
            as_json = True if are_json_lines(table) else _has_json_lines(file, table)
            if as_json is not None:
                with gzip.open(file) if _is_gzip(file) else file.open("rb") as lines:
                    yield from parse_reviews(lines, str(file), json_lines=as_json, origin=origin)
            else:
                yield from _read_table(file, table, origin, tell)
        except (OSError, EOFError) as error:  # EOFError: a gzip file is cut off
            raise ReviewFileError(f"cannot read {file}: {error}; give a readable file") from None
        except ReviewsError as error:
            raise ReviewFileError(str(error)) from None


def _reader(table: TableSettings) -> ReviewReader:
    return ReviewReader(table, lambda path: open(path, "rb"), _LONGEST, setting="--{}")


def _has_json_lines(file: Path, table: TableSettings) -> bool | None:
    """Returns whether a file with one review a line, in UTF-8 and at most gzipped, is JSON; None for other files."""
    if not file.stat().st_size:
        return is_json(file)
    try:
        first = next(iter(_reader(table).read(str(file), file.name)), None)
    except ReviewsError:
        # JSON lines without a text, and files that were cut off: the message about their line is the better one.
        return is_json(file) if is_json(file) or file.suffix == GZIP else None
    if not isinstance(first, Found):
        return None
    kind, _, rest = first.format.partition(", ")
    if rest not in ("UTF-8", "UTF-8, gzip"):
        return None
    if kind == _TEXT_LINES:
        # A name that promises JSON keeps the promise, or the error names the line.
        return table.format == AUTO and is_json(file)
    return True if kind == _OBJECT_LINES and first.columns.startswith("text in 'text'") else None


def are_json_lines(table: TableSettings) -> bool:
    """Returns whether all reviews are JSON lines with a `text`, whatever the files' content."""
    return table == TableSettings(format="jsonl")


def is_table(start: bytes, table: TableSettings = _DEFAULT) -> bool:
    """Returns whether a stream with this start is a table, has JSON in other forms than lines, or is packed.

    With other settings than the default ones, it is always read like a file.
    """
    if are_json_lines(table) or not start:
        return False
    if table != _DEFAULT:
        return True
    if compression_of(start) or container_of(start) or start.startswith(b"PAR1"):
        return True
    reader = ReviewReader(_DEFAULT, lambda path: io.BytesIO(start), _LONGEST, setting="--{}")
    try:
        first = next(iter(reader.read("standard input", "standard input")), None)
    except ReviewsError:
        return False
    return isinstance(first, Found) and not first.format.startswith(_TEXT_LINES)


def _is_gzip(file: Path) -> bool:
    with file.open("rb") as start:
        return file.suffix == GZIP or start.read(2) == b"\x1f\x8b"


def _read_table(file: Path, table: TableSettings, origin: Mapping[str, Any], tell: Tell) -> Iterator[Review]:
    for event in _reader(table).read(str(file), file.name):
        if isinstance(event, Found):
            tell(f"{event.source}: {event}")
        elif isinstance(event, LeftOut):
            tell(f"{event.source}: {event.files} files left out ({event.reason})")
        elif isinstance(event, RejectedRow):
            raise ReviewFileError(f"row {event.position} of {event.source} cannot be read: {event.excerpt}")
        else:
            yield _review_of_row(event, origin)


def _review_of_row(row: RawRow, origin: Mapping[str, Any]) -> Review:
    where = f"row {row.position} of {row.source}"
    text = row.text
    try:
        text = text.decode() if isinstance(text, bytes) else text
        if isinstance(text, str):
            text.encode()
    except UnicodeError:
        raise ReviewFileError(f"{where} is not UTF-8: {excerpt(row.text)!r}; name the encoding in --encoding") from None
    if not isinstance(text, str):
        raise ReviewFileError(f"{where} has no text, but {excerpt(text)!r}; correct or remove it")
    key = row.key.decode(errors="replace") if isinstance(row.key, bytes) else row.key
    identity = {"id": key} if isinstance(key, str | int | float) and key != "" else {}
    label = row.label.decode(errors="replace") if isinstance(row.label, bytes) else row.label
    return Review(text, {**origin, "row": row.position, **identity}, None if label == "" else label)


def is_json(file: Path) -> bool:
    """Returns whether a file holds JSON lines, judged by its name."""
    return file.name.removesuffix(GZIP).endswith(_JSON_LINES)


def parse_reviews(
    lines: Iterable[bytes], name: str, *, json_lines: bool, origin: Mapping[str, Any] | None = None
) -> Iterator[Review]:
    """Reads reviews line by line.

    Args:
        lines: The lines, with their line ends.
        name: Name of the file or stream, for messages.
        json_lines: Whether each line is a JSON object; then empty lines are skipped. In text every line is a review.
        origin: Fields that all reviews have in their `origin`.

    Raises:
        ReviewFileError: A line is not UTF-8, or not a JSON object with a string `text`.
    """
    for number, line in enumerate(lines, start=1):
        where = f"line {number} of {name}"
        place = {**(origin or {}), "line": number}
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ReviewFileError(f"{where} is not UTF-8 ({error.reason} at byte {error.start + 1})") from None
        if not json_lines:
            yield Review(text, place)
        elif text.strip():
            yield _json_review(text, where, place)


def _json_review(line: str, where: str, place: Mapping[str, Any]) -> Review:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReviewFileError(f"{where} is not JSON ({error}); {_EXPECTED}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get(features.TEXT), str):
        raise ReviewFileError(f"{where} has no string `text`; {_EXPECTED}")
    if not isinstance(fields.get("id", ""), str | int | float):
        raise ReviewFileError(f"{where} has an `id` that is neither a string nor a number; {_EXPECTED}")
    if _HALF_A_PAIR.search(f"{fields[features.TEXT]}{fields.get('id')}"):
        raise ReviewFileError(f"{where} holds half of a surrogate pair, which is not a character; {_EXPECTED}")
    identity = {"id": fields["id"]} if "id" in fields else {}
    return Review(fields[features.TEXT], {**place, **identity}, fields.get(features.LABEL))

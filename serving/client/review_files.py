"""Reads reviews from files and pipes.

A file whose name ends with `.jsonl`, `.ndjson` or `.json` holds JSON lines: objects with a string `text` and,
optionally, `id` and `label`. Any other file is text with one review a line. A file whose name ends with `.gz` is
decompressed.
"""

import glob
import gzip
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imdb_core import features
from serving.client.errors import ReviewFileError

GZIP: Final = ".gz"
_JSON_LINES: Final = (".jsonl", ".ndjson", ".json")
# JSON can write half of a surrogate pair, UTF-8 cannot.
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")
_EXPECTED: Final = 'expected a JSON object with a string `text`, like {"text": "A film I will not forget."}'


@dataclass(frozen=True)
class Review:
    """A review and its place in the input.

    Attributes:
        origin: The fields that identify the review in the output: `file`, `line` (1-based) and `id`, if it has them.
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
    names = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern, recursive=True))
    files = [Path(name) for name in names if os.path.isfile(name)]
    if not files:
        raise ReviewFileError(f"there is no file {pattern}; give a file, or a pattern in quotes like 'reviews/*.jsonl'")
    if output and output.resolve() in {file.resolve() for file in files}:
        raise ReviewFileError(f"{output} is among the files of reviews; write the predictions to another file")
    return files


def read_reviews(files: Sequence[Path], *, json_lines: bool = False) -> Iterator[Review]:
    """Reads reviews one by one.

    Args:
        files: The files, in the order in which they are read. Only if there are several does `origin` name the file.
        json_lines: Whether to read all files as JSON lines, whatever their names.

    Raises:
        ReviewFileError: A file cannot be read; the message names the line.
    """
    for file in files:
        origin = {"file": str(file)} if len(files) > 1 else {}
        try:
            with gzip.open(file) if file.suffix == GZIP else file.open("rb") as lines:
                yield from parse_reviews(lines, str(file), json_lines=json_lines or is_json(file), origin=origin)
        except (OSError, EOFError) as error:  # EOFError: a gzip file is cut off
            raise ReviewFileError(f"cannot read {file}: {error}; give a readable file") from None


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

"""Reviews from files and pipes, and predictions to files.

A file is JSON lines, each an object with a string `text` and, if it likes, an `id`, if its name says `.jsonl`,
`.ndjson` or `.json`; else it is text, one review a line. A name that ends with `.gz` is decompressed.
"""

import contextlib
import glob
import gzip
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from serving.client.errors import ReviewFileError

_JSON_LINES: Final = (".jsonl", ".ndjson", ".json")
_GZIP: Final = ".gz"
# JSON can write these, UTF-8 cannot.
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Review:
    """A review and where it comes from.

    Attributes:
        text: the review.
        origin: what identifies it in the output: `file`, `line` (from 1) and `id`, as far as it has them.
    """

    text: str
    origin: Mapping[str, Any]


def find_files(pattern: str, output: Path | None = None) -> list[Path]:
    """Finds files of reviews.

    Args:
        pattern: a path, or a glob (`**` goes into folders).
        output: where their predictions go.

    Returns:
        Sorted by name.

    Raises:
        ReviewFileError: there is none, or the output is one of them.
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
        files: read in this order; the output names the file only if they are several.
        json_lines: whether all of them are JSON lines, whatever their names.

    Raises:
        ReviewFileError: a file cannot be read; the message names the line.
    """
    for file in files:
        origin = {"file": str(file)} if len(files) > 1 else {}
        try:
            with gzip.open(file) if file.suffix == _GZIP else file.open("rb") as lines:
                yield from parse_reviews(lines, str(file), json_lines=json_lines or _holds_json(file), origin=origin)
        except (OSError, EOFError) as error:  # EOFError: a gzip file that ends too early
            raise ReviewFileError(f"cannot read {file}: {error}; give a readable file") from None


def parse_reviews(
    lines: Iterable[bytes], name: str, *, json_lines: bool, origin: Mapping[str, Any] | None = None
) -> Iterator[Review]:
    """Reads reviews line by line.

    Args:
        lines: each with its end.
        name: of where they come from, for messages.
        json_lines: whether each line is a JSON object; an empty one is skipped. In text every line is a review.
        origin: what all of them share.

    Raises:
        ReviewFileError: a line is not what it should be.
    """
    for number, line in enumerate(lines, start=1):
        where = f"line {number} of {name}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ReviewFileError(f"{where} is not UTF-8 ({error.reason} at byte {error.start + 1})") from None
        if not json_lines:
            yield Review(text, {**(origin or {}), "line": number})
        elif text.strip():
            fields = _fields(text, where)
            identity = {"id": fields["id"]} if "id" in fields else {}
            yield Review(fields["text"], {**(origin or {}), "line": number, **identity})


def json_line(origin: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Writes one line of output.

    Args:
        origin: of the review.
        answer: of the model.
    """
    return json.dumps({**origin, **answer}, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[IO[str]]:
    """Opens a file that appears, complete, when the block ends; if it fails, nothing changes.

    Args:
        path: compressed if it ends with `.gz`.

    Raises:
        ReviewFileError: it cannot be written.
    """
    target = path.resolve()
    in_place = path.exists() and not path.is_file()  # /dev/null and the like; nothing can take their place
    partial = path if in_place else target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            # Neither name nor time in it: the same predictions are the same bytes.
            raw = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if target.suffix == _GZIP else file
            with io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as text:
                yield text
        if not in_place:
            os.replace(partial, target)
    except OSError as error:
        raise ReviewFileError(f"cannot write {path}: {error.strerror}; give a file in a folder that exists") from None
    finally:
        if not in_place:
            with contextlib.suppress(OSError):
                partial.unlink()


def _holds_json(file: Path) -> bool:
    return file.name.removesuffix(_GZIP).endswith(_JSON_LINES)


def _fields(text: str, where: str) -> dict[str, Any]:
    expected = 'expected a JSON object with a string `text`, like {"text": "A film I will not forget."}'
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReviewFileError(f"{where} is not JSON ({error}); {expected}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise ReviewFileError(f"{where} has no string `text`; {expected}")
    if not isinstance(fields.get("id", ""), str | int | float):
        raise ReviewFileError(f"{where} has an `id` that is neither a string nor a number; {expected}")
    if _HALF_A_PAIR.search(f"{fields['text']}{fields.get('id')}"):
        raise ReviewFileError(f"{where} holds half of a surrogate pair, which is no character; {expected}")
    return fields

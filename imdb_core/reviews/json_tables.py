"""Reads objects: JSON lines, and one JSON array."""

import json
import re
from collections.abc import Iterator
from typing import IO, Any, Final

from imdb_core.excerpts import excerpt
from imdb_core.reviews.rows import RejectedRow, RejectionReason

_BLOCK: Final = 1 << 16
_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")
_BLANK: Final = re.compile(r"[ \t\r\n\ufeff]*")


class Twice(dict[str, Any]):
    """An object in which some keys are given twice; `keys_twice` are these."""

    keys_twice: frozenset[str] = frozenset()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    twice = Twice(found)
    twice.keys_twice = frozenset(key for key in found if keys.count(key) > 1)
    return twice


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)

# What the readers yield: the number of the line or object, and the object or why there is none.
Numbered = tuple[int, dict[str, Any] | RejectedRow]


def read_lines(lines: IO[str], source: str) -> Iterator[Numbered]:
    """Reads one object per line. Blank lines give none, but count."""
    for number, line in enumerate(lines, 1):
        content = line.lstrip("\ufeff") if number == 1 else line
        if content.strip():
            yield number, _parsed(content, number, source)


def read_array(lines: IO[str], source: str) -> Iterator[Numbered]:
    """Reads the objects of one array, or the single object, of which only one is held in memory at a time."""
    pending, place, number, inside = "", 0, 0, False
    while True:
        place = _BLANK.match(pending, place).end()  # type: ignore[union-attr]  # matches everywhere
        if place < len(pending) and pending[place] in "[],":
            inside = inside or pending[place] == "["
            if pending[place] == "]":
                return
            place += 1
            continue
        try:
            found, end = _DECODER.raw_decode(pending, place) if place < len(pending) else (None, -1)
        except RecursionError:
            yield number + 1, RejectedRow(source, number + 1, "malformed", excerpt(pending[place:]))
            return
        except ValueError:
            end = -1
        # A number at the end of what is read may go on.
        if end < 0 or end == len(pending):
            block = lines.read(max(_BLOCK, len(pending) - place))
            if not block:
                if end < 0:
                    if pending[place:].strip() or inside:
                        yield number + 1, RejectedRow(source, number + 1, "malformed", excerpt(pending[place:]))
                    return
            else:
                pending, place = pending[place:] + block, 0
                continue
        number += 1
        reason: RejectionReason = "malformed"
        yield (
            number,
            found if isinstance(found, dict) else RejectedRow(source, number, reason, excerpt(pending[place:end])),
        )
        pending, place = pending[end:], 0


def names_of(fields: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yields the keys of an object; those of nested objects joined by dots."""
    for key, value in fields.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from names_of(value, f"{prefix}{key}.")


def _parsed(content: str, number: int, source: str) -> dict[str, Any] | RejectedRow:
    if _NOT_UTF8.search(content):
        return RejectedRow(source, number, "bad_utf8", excerpt(content.strip()))
    try:
        found = _DECODER.decode(content.strip())
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else RejectedRow(source, number, "malformed", excerpt(content.strip()))

"""Decodes text files whose encoding is found out or given."""

import codecs
import io
from typing import IO, Final, NamedTuple

from imdb_core.reviews.errors import ReviewsError

AUTO: Final = "auto"

_HEAD: Final = 4096
# Longer marks first: that of UTF-32 starts with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


class Encoding(NamedTuple):
    """An encoding: Python's name for it, and how it is called."""

    name: str
    title: str


def find_encoding(head: bytes, setting: str = AUTO) -> Encoding:
    """Recognises the encoding of a file by its first bytes: a byte order mark or, in UTF-16 without one, zeros.

    Raises:
        ReviewsError: The setting names no encoding.
    """
    if setting != AUTO:
        try:
            name = codecs.lookup(setting).name
            if not codecs.lookup(setting)._is_text_encoding:
                raise LookupError
        except LookupError:
            raise ReviewsError(
                f"there is no text encoding {setting!r}; give one that Python knows, such as utf-8, latin-1, cp1252 or "
                "utf-16"
            ) from None
        # A byte order mark is no part of the text.
        return Encoding("utf-8-sig" if name == "utf-8" else name, setting)
    for mark, name, title in _MARKS:
        if head.startswith(mark):
            return Encoding(name, title)
    even, odd = head[0:_HEAD:2], head[1:_HEAD:2]
    if len(odd) > 1 and 3 * odd.count(0) > 2 * len(odd) and not even.count(0):
        return Encoding("utf-16-le", "UTF-16")
    if len(even) > 1 and 3 * even.count(0) > 2 * len(even) and not odd.count(0):
        return Encoding("utf-16-be", "UTF-16")
    return Encoding("utf-8", "UTF-8")


def decoded(stream: IO[bytes], encoding: Encoding) -> io.TextIOWrapper:
    """Decodes a stream, without translating line ends.

    A byte that does not belong to the encoding becomes a lone surrogate, which `RowRules` rejects row by row.
    """
    errors = "surrogateescape" if encoding.name.startswith("utf-8") else "replace"
    return io.TextIOWrapper(stream, encoding.name, errors, newline="")

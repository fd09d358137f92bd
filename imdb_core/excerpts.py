"""Quotes parts of files and answers so that they are safe to show."""

import re
from typing import Final

_EXCERPT: Final = 200  # characters
_BYTES: Final = 0xDC00
_FIRST_BYTE: Final = 0xDC80
_LAST_BYTE: Final = 0xDCFF
# Characters that a terminal executes or that change the order of the others, and halves of surrogate pairs.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def excerpt(value: object, length: int = _EXCERPT) -> str:
    """Returns the start of a value on one line; what is not safe to show becomes escapes."""
    if isinstance(value, bytes):
        value = value[: 4 * length].decode(errors="backslashreplace")  # a character has up to four bytes
    shown = "" if value is None else str(value)[:length]
    return safe(shown)[:length]


def safe(text: str) -> str:
    """Replaces control characters, overrides of the writing direction and halves of surrogate pairs by escapes."""
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Python decodes a byte that is not UTF-8 to one of these.
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return f"\\x{code - _BYTES:02x}"
    return found[0].encode("unicode_escape", "surrogatepass").decode()

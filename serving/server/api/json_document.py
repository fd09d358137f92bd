"""Reads JSON by the rules of RapidJSON, TensorFlow Serving's parser, and with its messages."""

import json
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from serving.server.errors import ServingError, invalid_argument

_BOM: Final = "\ufeff"
_SPACE: Final = " \t\r\n"
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]', re.DOTALL)

# The beginning of a message of Python's parser → the message of RapidJSON. The first that fits counts.
_MESSAGES: Final = (
    ("Expecting value", "Invalid value."),
    ("Expecting property name", "Missing a name for object member."),
    ("Illegal trailing comma before end of object", "Missing a name for object member."),
    ("Illegal trailing comma before end of array", "Invalid value."),
    ("Expecting ':'", "Missing a colon after a name of object member."),
    ("Unterminated string", "Missing a closing quotation mark in string."),
    ("Invalid control character", "Invalid encoding in string."),
    ("Invalid \\escape", "Invalid escape character in string."),
    ("Invalid \\uXXXX escape", "Incorrect hex digit after \\u escape in string."),
)
# The encoder recurses into nested lists and yields at least one piece per level.
_SHOWN_PIECES: Final = 256
_NO_COMMA: Final = {
    "{": "Missing a comma or } after an object member.",
    "[": "Missing a comma or ] after an array element.",
}


class _RepeatedKeys(dict[str, Any]):
    """An object in which a key occurs more than once; the first one counts, as for RapidJSON's `FindMember`."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(members))
        self.members = members


def parse_object(body: bytes) -> dict[str, Any]:
    """Parses a JSON object in UTF-8, with or without a byte order mark; NaN and Infinity are numbers.

    As in RapidJSON, the first of repeated keys counts, `members_of` returns all of them, and a NUL ends the document.

    Raises:
        ServingError: INVALID_ARGUMENT if the body is something else.
    """
    if not body:
        raise _parse_error("The document is empty")
    try:
        text = body.decode()
    except UnicodeError:
        raise _parse_error("Invalid encoding in string.") from None
    start = len(text) - len(text.removeprefix(_BOM).lstrip(_SPACE))
    if text[start : start + 1] in ("", "\0"):
        raise _parse_error(f"The document is empty. at offset: {_offset(text, start)}")
    try:
        document, end = _DECODER.raw_decode(text, start)
        if _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode()  # fails for a lone surrogate, which the parser accepts
    except json.JSONDecodeError as error:
        raise _parse_error(f"{_message(error)} at offset: {_offset(text, error.pos)}") from None
    except UnicodeError:
        raise _parse_error("The surrogate pair in string is invalid.") from None
    except (ValueError, RecursionError):
        raise _parse_error("Number too long or lists nested too deep.") from None
    rest = text[end:].lstrip(_SPACE)
    if rest and not rest.startswith("\0"):
        offset = _offset(text, len(text) - len(rest))
        raise _parse_error(f"The document root must not be followed by other values. at offset: {offset}")
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")
    return document


def members_of(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Returns the keys and values of a JSON object, with repeated keys as often as they occur."""
    return value.members if isinstance(value, _RepeatedKeys) else value.items()


def has_one_member(value: dict[str, Any]) -> bool:
    """Returns whether a JSON object has exactly one key, and this key once."""
    return len(value) == 1 and not isinstance(value, _RepeatedKeys)


def shown(value: Any) -> str:
    """Writes a JSON value for an error message, cut if it is long."""
    return "".join(islice(json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value), _SHOWN_PIECES))


def format_error(value: Any, problem: str) -> ServingError:
    """Returns the error for a document or a part of it that has another form than the request needs."""
    return invalid_argument(f"JSON Value: {shown(value)} {problem}")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    return value if len(value) == len(members) else _RepeatedKeys(members)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)


def _message(error: json.JSONDecodeError) -> str:
    for start, message in _MESSAGES:
        if error.msg.startswith(start):
            return message
    return _NO_COMMA[_open_bracket(error.doc[: error.pos])]


def _open_bracket(text: str) -> str:
    """Returns the innermost bracket that a text opens and does not close."""
    opened = ["{"]
    for token in _BRACKETS.findall(text):
        if token in ("{", "["):
            opened.append(token)
        elif token in ("}", "]"):
            opened.pop()
    return opened[-1]


def _offset(text: str, position: int) -> int:
    """Returns a position in bytes."""
    return len(text[:position].encode(errors="surrogatepass"))


def _parse_error(problem: str) -> ServingError:
    return invalid_argument(f"JSON Parse error: {problem}")

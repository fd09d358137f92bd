"""One spelling for what phones, word processors and keyboards write in several ways: the tables, and the Python rule.

`components.transform.preprocessing.normalized` is the same rule in the graph, and serving/server/api/page/app.js has a
copy in JavaScript. tests/token_cases.json lists texts on which all three must agree.

- Apostrophes such as U+2019 become `'`; other quotation marks, dashes, ellipses, bullets and further punctuation
  outside ASCII become spaces, as those of ASCII separate words.
- Characters without a width disappear: soft hyphens, zero-width spaces and joiners, marks of the writing direction,
  variation selectors.
- Full-width characters become those of ASCII.
- A letter with up to three combining marks becomes the one character that Unicode has for it (form NFC).
- Code points that are no characters, such as U+FFFF, become U+FFFD.
- U+0082 to U+009B become what Windows writes with these bytes: old texts have them from a wrong decoding.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

APOSTROPHE: Final = ord("'")
SPACE: Final = ord(" ")
UNKNOWN: Final = 0xFFFD
REMOVED: Final = -1
ROUNDS: Final = 3  # marks on one letter

_APOSTROPHES: Final = (0x91, 0x92, 0xB4, 0x2BC, 0x2018, 0x2019, 0x201B, 0x2032, 0xFF07)
_SPACES: Final = (
    (0x82, 0x82),
    (0x84, 0x85),
    (0x8B, 0x8B),
    (0x93, 0x97),
    (0x9B, 0x9B),
    (0xA1, 0xA1),
    (0xAB, 0xAB),
    (0xB6, 0xB7),
    (0xBB, 0xBB),
    (0xBF, 0xBF),
    (0x2010, 0x2017),
    (0x201A, 0x201A),
    (0x201C, 0x201F),
    (0x2020, 0x2027),
    (0x2030, 0x2031),
    (0x2033, 0x205E),
    (0x2212, 0x2212),
    (0x2E00, 0x2E5D),
    (0x3001, 0x3003),
    (0x3008, 0x3011),
    (0x3014, 0x301F),
    (0x3030, 0x3030),
    (0xFE10, 0xFE19),
    (0xFE30, 0xFE6B),
)
_REMOVED: Final = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x180B, 0x180E),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xE0001, 0xE007F),
    (0xE0100, 0xE01EF),
)
_NO_CHARACTERS: Final = ((0xFDD0, 0xFDEF), *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)))
_FULL_WIDTH: Final = range(0xFF01, 0xFF5F)
_FULL_WIDTH_OFFSET: Final = 0xFEE0
# All precomposed letters but those of Korean.
_COMPOSED: Final = range(0xC0, 0x2000)


def _replacements() -> Iterator[tuple[int, int]]:
    for ranges, replacement in ((_SPACES, SPACE), (_REMOVED, REMOVED), (_NO_CHARACTERS, UNKNOWN)):
        for first, last in ranges:
            yield from ((code, replacement) for code in range(first, last + 1))
    yield from ((code, code - _FULL_WIDTH_OFFSET) for code in _FULL_WIDTH)
    yield from ((code, APOSTROPHE) for code in _APOSTROPHES)


def _compositions() -> Iterator[tuple[tuple[int, int], int]]:
    for code in _COMPOSED:
        parts = unicodedata.normalize("NFD", chr(code))
        before = unicodedata.normalize("NFC", parts[:-1])
        if len(parts) > 1 and len(before) == 1 and unicodedata.normalize("NFC", parts) == chr(code):
            yield (ord(before), ord(parts[-1])), code


# Code point → its replacement, or REMOVED.
REPLACEMENTS: Final = dict(_replacements())
# A letter and a combining mark → the letter with the mark.
COMPOSITIONS: Final = dict(_compositions())
_MARKS: Final = frozenset(mark for _, mark in COMPOSITIONS)


@dataclass(frozen=True)
class Normalized:
    """A normalized text.

    Attributes:
        text: The text.
        starts: Of each character, the place in the original text where it starts; then the original text's length.
    """

    text: str
    starts: Sequence[int]


def unchanged(text: str) -> Normalized:
    """Returns a text as it is."""
    return Normalized(text, range(len(text) + 1))


def normalized(text: str) -> Normalized:
    """Normalizes a text."""
    if text.isascii():
        return unchanged(text)
    codes: list[int] = []
    starts: list[int] = []
    for place, character in enumerate(text):
        code = REPLACEMENTS.get(ord(character), ord(character))
        if code != REMOVED:
            codes.append(code)
            starts.append(place)
    if not _MARKS.isdisjoint(codes):
        for _ in range(ROUNDS):
            codes, starts = _composed(codes, starts)
    return Normalized("".join(map(chr, codes)), [*starts, len(text)])


def _composed(codes: list[int], starts: list[int]) -> tuple[list[int], list[int]]:
    """Composes each letter with the combining mark that follows it."""
    found: list[int] = []
    places: list[int] = []
    for place, code in enumerate(codes):
        follows = place > 0 and (codes[place - 1], code) in COMPOSITIONS
        if follows:
            found[-1] = COMPOSITIONS[codes[place - 1], code]
        else:
            found.append(code)
            places.append(starts[place])
    return found, places

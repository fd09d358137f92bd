import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.normalization import COMPOSITIONS, REMOVED, REPLACEMENTS, SPACE, UNKNOWN, normalized, unchanged

ANY_TEXT = st.text(st.sampled_from([*map(chr, REPLACEMENTS), "e", "\u0301", "\u0323", "'"]) | st.characters())
PRECOMPOSED = [chr(code) for code in range(0xC0, 0x2000) if unicodedata.is_normalized("NFC", chr(code))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Don't -- I'm \"sure\"\0", "Don't -- I'm \"sure\"\0"),
        ("Don\u2019t", "Don't"),
        ("\u201cyes\u201d\u2014no\u2026", " yes  no "),
        ("co\u00adop \ufeff\u200b", "coop "),
        ("\uff21\uff22\uff01\u3000", "AB!\u3000"),
        ("e\u0301 e\u0323\u0302 \u0301", "\u00e9 \u1ec7 \u0301"),
        ("e\u00ad\u0301", "\u00e9"),
        ("\u4f60\u597d \U0001f3ac \u0391", "\u4f60\u597d \U0001f3ac \u0391"),
    ],
)
def test_a_text_gets_the_usual_spelling(text: str, expected: str) -> None:
    assert normalized(text).text == expected


def test_the_places_of_characters_in_the_original() -> None:
    assert normalized("ae\u0301\u00ad\u2019b") == normalized("ae\u0301\u00ad\u2019b")
    found = normalized("ae\u0301\u00ad\u2019b")
    assert (found.text, list(found.starts)) == ("a\u00e9'b", [0, 1, 4, 5, 6])
    assert list(unchanged("ab").starts) == [0, 1, 2]


@given(ANY_TEXT)
def test_places_ascend_and_the_result_does_not_change_again(text: str) -> None:
    found = normalized(text)
    assert list(found.starts) == sorted(set(found.starts) | {len(text)})
    assert len(found.starts) == len(found.text) + 1
    assert not any(REPLACEMENTS.get(ord(character)) == REMOVED for character in found.text)


@given(st.text(st.sampled_from([*PRECOMPOSED, *map(chr, range(0x20, 0x7F))])))
def test_letters_with_accents_are_composed_as_unicode_does(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    for character in composed:
        decomposed = unicodedata.normalize("NFD", character)
        if ord(character) not in REPLACEMENTS and ord(decomposed[0]) not in REPLACEMENTS:
            assert normalized(decomposed).text == character


def test_the_tables_do_not_contradict_each_other() -> None:
    letters, marks = ({pair[place] for pair in COMPOSITIONS} for place in (0, 1))
    assert not letters & marks
    assert not (letters | marks | set(COMPOSITIONS.values())) & set(REPLACEMENTS)
    assert set(REPLACEMENTS.values()) == {REMOVED, SPACE, UNKNOWN, *range(0x21, 0x7F)}


def test_every_dash_and_quotation_mark_has_a_usual_spelling() -> None:
    for code in range(0x80, 0x110000):
        kind = unicodedata.category(chr(code))
        # Some scripts have dashes of their own.
        if kind in ("Pi", "Pf") or (kind == "Pd" and (0x2000 <= code < 0x3080 or 0xFE00 <= code < 0x10000)):
            assert code in REPLACEMENTS, (hex(code), unicodedata.name(chr(code)))

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.excerpts import excerpt, safe


@pytest.mark.parametrize(
    ("given_value", "shown"),
    [
        (None, ""),
        (5, "5"),
        ("Ünlü — 映画 🎬", "Ünlü — 映画 🎬"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        (b"caf\xe9", "caf\\xe9"),
        ("caf\udce9 \ud83d", "caf\\xe9 \\ud83d"),
        ("x" * 300, "x" * 200),
        (b"\xc3\xa9" * 300, "é" * 200),
    ],
)
def test_the_start_of_a_value_is_safe_to_show(given_value, shown):
    assert excerpt(given_value) == shown


@given(st.one_of(st.text(st.characters(codec=None)), st.binary()))
def test_nothing_that_a_terminal_executes_is_left(value):
    shown = excerpt(value)
    assert shown == safe(shown)
    assert len(shown) <= 200
    assert not any(unicodedata.category(character) == "Cc" for character in shown)
    shown.encode()

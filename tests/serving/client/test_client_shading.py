from __future__ import annotations

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from components.transform.preprocessing import align, tokenize
from imdb_core.normalization import normalized
from serving.client.results import Explanation
from serving.client.shading import Piece, notes, printable, shaded

MAX_TOKENS = 12
WORDS = st.one_of(
    st.sampled_from(
        ["Film", "don't", "ÜNLÜ", "ΟΔΟΣ", "İyi", "Straße", "ﬁlm", "日本", "🎬", "br", "a\0b", "x" * 20, "é", "'"]
    ),
    st.sampled_from(["é", "'", "don’t", "cafe\u0301", "co\u00adop"]),
)
BETWEEN = st.one_of(
    st.sampled_from([" ", "  ", ", ", "\t", "\n", "\u00a0", "\u2028", "\x1f", "...", "-", "<", ">", '"', "/"]),
    st.sampled_from(["—", "“"]),
)
BREAKS = st.sampled_from(["<br />", "<BR>", "</br>", "< br / >", '<br clear="all">', "<br/class=x>"])
REVIEWS = st.lists(st.tuples(WORDS, BETWEEN | BREAKS), max_size=20).map(lambda pairs: "".join(sum(pairs, ())))
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def explained(text: str, tokens: list[str], attention: list[float], version: int | None = None) -> Explanation:
    return Explanation(text, "positive", 0.9, {"negative": 0.1, "positive": 0.9}, version, tokens, attention)


def as_the_network_reads(text: str, *, normalize: bool) -> list[str]:
    words = tokenize(tf.constant([text.encode()]), normalize=normalize)
    row = align(words, words[:, -MAX_TOKENS:], MAX_TOKENS, "[START]", "")[0]
    return [token.decode() for token in row.numpy() if token]


@pytest.mark.parametrize("normalize", [False, True])
@given(text=REVIEWS | ANY_TEXT)
def test_each_word_of_the_review_has_the_attention_of_its_token(text: str, normalize: bool) -> None:
    tokens = as_the_network_reads(text, normalize=normalize)
    attention = [1.0 + place for place in range(len(tokens))]
    pieces = shaded(explained(text, tokens, attention))
    assert [piece.attention for piece in pieces if piece.attention is not None] == attention
    from_start = tokens[:1] == ["[START]"]
    if from_start:
        assert (pieces[0].text, pieces[1]) == ("[START]", Piece(" "))
    review = pieces[2 * from_start :]
    # The words are those of the review, not the network's lower-case ones; nothing is lost or added.
    shown = "".join(piece.text for piece in review)
    plain = normalized(text).text.lower() + text.lower()
    assert shown == printable(text) if "br" not in plain else shown.startswith(printable(text.partition("<")[0]))
    assert all(piece.read for piece in pieces) or not from_start


def test_the_pieces_of_a_review_with_markup() -> None:
    pieces = shaded(
        explained("A <i>film</i>,<br />Don't!", ["[START]", "a", "i", "film", "i", "don't"], [0, 1, 0, 4, 0, 2])
    )
    assert pieces == [
        Piece("[START]", 0, 0.0),
        Piece(" "),
        Piece("A", 1, 0.25),
        Piece(" <"),
        Piece("i", 0, 0.0),
        Piece(">"),
        Piece("film", 4, 1.0),
        Piece("</"),
        Piece("i", 0, 0.0),
        Piece(">,"),
        Piece("\n"),
        Piece("Don't", 2, 0.5),
        Piece("!"),
    ]


def test_the_pieces_of_a_review_that_the_network_normalizes() -> None:
    text = "\ufeffDon’t—cafe\u0301\u00ad!"
    assert shaded(explained(text, ["[START]", "don't", "caf\u00e9"], [0, 1, 2]))[2:] == [
        Piece("\ufeff"),
        Piece("Don’t", 1, 0.5),
        Piece("—"),
        Piece("cafe\u0301\u00ad", 2, 1.0),
        Piece("!"),
    ]


def test_the_part_of_a_long_review_that_is_not_read() -> None:
    explanation = explained("One, two three", ["two", "three"], [0.5, 0.5], 3)
    pieces = shaded(explanation)
    assert pieces == [
        Piece("One", read=False),
        Piece(", "),
        Piece("two", 0.5, 1.0),
        Piece(" "),
        Piece("three", 0.5, 1.0),
    ]
    assert notes(explanation, pieces) == ["the network reads the last 2 words only", "model version 3"]


def test_tokens_that_are_not_words_of_the_review_are_shown_instead() -> None:
    for tokens in (["[START]", "an", "other"], ["[START]", "a"], ["too", "many", "words"], ["other"]):
        explanation = explained("A film", tokens, [0.5] * len(tokens))
        pieces = shaded(explanation)
        assert "".join(piece.text for piece in pieces).split() == tokens
        assert notes(explanation, pieces) == []


@pytest.mark.parametrize("attention", [[0.0, 0.0], [-1.0, -2.0]])
def test_the_strength_is_0_without_positive_attention(attention: list[float]) -> None:
    pieces = shaded(explained("a film", ["a", "film"], attention))
    assert {piece.strength for piece in pieces} == {0.0}


def test_a_review_without_words() -> None:
    assert shaded(explained("", ["[START]"], [1.0])) == [Piece("[START]", 1.0, 1.0), Piece(" ")]
    assert shaded(explained("...", [], [])) == [Piece("...")]


def test_control_characters_are_replaced() -> None:
    text = "\x1b[31mred\x07\x9b\x00 \t\n\r"
    assert printable(text) == "\ufffd[31mred\ufffd\ufffd\ufffd \t\n\ufffd"
    assert printable("Ünlü 🎬 \u2028") == "Ünlü 🎬 \u2028"
    assert shaded(explained("\x1b[2J", ["\x1b", "2j"], [1, 1]))[0].text == "\ufffd"

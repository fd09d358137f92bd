import pytest
import tensorflow as tf

from benchmarks.blog_encoding import (
    SPECIAL_IDS,
    UNKNOWN,
    encode,
    most_frequent_words,
    unknown_share,
    word_ids,
    words_of,
)
from components.example_gen.sample.generate import sample_review
from components.transform.preprocessing import align, tokenize

REVIEWS = [
    "It's GOOD.<br /><br>Isn't it?",
    "",
    "   \t\n ",
    "<BR/>< br / ></br><br clear='all'>brrr <b>bold</b>",
    "Ünlike ÁNY öther — 映画は素晴らしい 🎬 İstanbul ΟΔΟΣ",
    "a\u00a0b\u2003c\u3000d\u0085e",
    "snake_case, e-mail@home.org; 9/10 {x|y} ~ `q` \\ ^",
    "one two three " * 66 + "last",
    "one two three " * 66 + "but last",
    "word " * 5000 + "good",
]
KNOWN = ["the", "good", "it's", "two", "one", "bold", "ünlike", "οδος", "last"]


def test_words_by_hand() -> None:
    assert words_of(REVIEWS[0]) == ["it's", "good", "isn't", "it"]
    assert words_of(REVIEWS[3]) == ["brrr", "b", "bold", "b"]
    assert words_of(REVIEWS[5]) == ["a", "b", "c", "d", "e"]


def test_encoding_by_hand() -> None:
    ids = {"good": 4, "film": 5}
    assert encode(["good", "odd", "film"], ids, 6) == [1, 4, 2, 5, 0, 0]
    assert encode([], ids, 3) == [1, 0, 0]
    assert encode(["film", "film"], ids, 3) == [1, 5, 5]
    assert encode(["odd", "film", "good"], ids, 3) == [2, 5, 4]


def test_the_pipeline_encodes_the_same() -> None:
    texts = [*REVIEWS, *(sample_review("test", index, 1).text for index in range(50))]
    ids = word_ids(KNOWN)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(KNOWN, tf.constant(list(ids.values()), tf.int64)), UNKNOWN
    )
    words = tokenize(tf.constant(texts), normalize=False)
    token_ids = align(words, tf.ragged.map_flat_values(table.lookup, words[:, -200:]), 200, 1, 0)
    assert [encode(words_of(text), ids, 200) for text in texts] == token_ids.numpy().tolist()


def test_words_by_falling_frequency_then_falling_bytes() -> None:
    reviews = [["b", "a", "é"], ["b", "c"], ["é", "z"]]
    assert most_frequent_words(reviews, 10) == ["é", "b", "z", "c", "a"]
    assert most_frequent_words(reviews, 3) == ["é", "b", "z"]
    assert word_ids(["é", "b"]) == {"é": SPECIAL_IDS, "b": SPECIAL_IDS + 1}


def test_unknown_share_counts_what_the_network_sees() -> None:
    assert unknown_share(["good odd", "good"], ["good"], 5) == pytest.approx(1 / 3)
    assert unknown_share(["odd good good good"], ["good"], 3) == 0.0  # the odd word is cut off
    assert unknown_share([""], ["good"], 3) == 0.0

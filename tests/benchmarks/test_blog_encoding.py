from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks.blog_encoding import (
    SPECIAL_IDS,
    UNKNOWN,
    encode,
    most_frequent_words,
    read_reviews,
    unknown_share,
    word_ids,
    words_of,
    write_cut,
)
from components.errors import SourceError
from components.ingest.sample import sample_review
from components.preprocessing import align, tokenize

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
    words = tokenize(tf.constant(texts))
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


MEMBERS = {
    "aclImdb/README": "no review",
    "aclImdb/train/pos/0_9.txt": "good",
    "aclImdb/train/pos/1_9.txt": "very good",
    "aclImdb/train/neg/0_2.txt": "bad",
    "aclImdb/train/neg/1_2.txt": "very bad",
    "aclImdb/train/unsup/0_0.txt": "unknown",
    "aclImdb/test/neg/0_1.txt": "ünder",
    "aclImdb/test/pos/0_10.txt": "över",
}


def test_reads_an_archive(archive: Callable[[dict[str, str]], str]) -> None:
    splits = read_reviews(archive(MEMBERS))
    assert splits["train"] == (["good", "very good", "bad", "very bad"], [1, 1, 0, 0])
    assert splits["test"] == (["ünder", "över"], [0, 1])


def test_a_limit_takes_both_sentiments_and_a_cut_holds_the_same(
    archive: Callable[[dict[str, str]], str], tmp_path: Path
) -> None:
    whole = archive(MEMBERS)
    limited = read_reviews(whole, limit=2)
    assert limited["train"] == (["good", "bad"], [1, 0])
    write_cut(whole, tmp_path / "cut.tar.gz", limit=2)
    assert read_reviews(str(tmp_path / "cut.tar.gz")) == limited


def test_reads_the_sample() -> None:
    splits = read_reviews("sample", limit=4)
    assert splits["train"].labels == [0, 1, 0, 1]
    assert splits["test"].texts[3] == sample_review("test", 3, 1).text
    assert [len(split.labels) for split in read_reviews("sample").values()] == [2000, 500]


def test_says_what_is_wrong_with_the_data(archive: Callable[[dict[str, str]], str], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no test reviews"):
        read_reviews(archive({"train/pos/0_9.txt": "good"}))
    text = tmp_path / "reviews.csv"
    text.write_text("text,label\n")
    with pytest.raises(SourceError, match=r"reviews\.csv.*takes `sample` or an aclImdb"):
        read_reviews(str(text))
    whole = Path(archive({**MEMBERS, "test/pos/1_9.txt": "".join(map(chr, range(200, 20_000)))}))
    whole.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(SourceError, match="cannot read"):
        read_reviews(str(whole))

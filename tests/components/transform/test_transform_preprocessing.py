from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from token_oracle import BREAKS, NO_BREAKS, REVIEWS, SEPARATORS, token_ids_of, tokens_of, vocabulary_of, words_of
from transformed_reviews import Transformed

from components.transform.preprocessing import align, tokenize
from imdb_core.settings import TransformSettings

pytestmark = pytest.mark.slow

TokenIds = Callable[[Sequence[bytes]], list[list[int]]]


def tokenized(*reviews: str | bytes) -> list[list[bytes]]:
    return tokenize(tf.constant(reviews, tf.string, [len(reviews)]), normalize=False).to_list()


@pytest.mark.parametrize(
    ("review", "words"),
    [
        ("A film -- THE film!", ["a", "film", "the", "film"]),
        ("Don't 'quote' rock'n'roll", ["don't", "'quote'", "rock'n'roll"]),
        ("good<br /><br />bad", ["good", "bad"]),
        ("well-made,8/10;a_b", ["well", "made", "8", "10", "a", "b"]),
        ("ÇA VA? ΟΔΟΣ ΣΑΣ", ["ça", "va", "οδος", "σας"]),
        ("İstanbul İstanbul", ["i̇stanbul", "i̇stanbul"]),
        ("so 🎬great", ["so", "🎬great"]),
        ("a\0b", ["a\ufffdb"]),
        (b"caf\xe9 ok", ["caf\ufffd", "ok"]),
        ("", []),
        (" \t\r\n\v\f\u00a0\u3000 .,", []),
    ],
)
def test_words(review: str | bytes, words: list[str]) -> None:
    assert tokenized(review) == [[word.encode() for word in words]]
    assert words_of(review if isinstance(review, bytes) else review.encode(), normalize=False) == words


@pytest.mark.parametrize("tag", BREAKS)
def test_any_spelling_of_the_break_separates_words(tag: str) -> None:
    assert tokenized(f"one{tag}two") == [[b"one", b"two"]]


@pytest.mark.parametrize("tag", NO_BREAKS)
def test_other_tags_are_text(tag: str) -> None:
    words = [word.decode() for word in tokenized(f"one{tag}two")[0]]
    assert words == words_of(f"one{tag}two".encode(), normalize=False)
    assert words != ["one", "two"]


def test_every_character_is_separated_and_lowered_as_python_does() -> None:
    # Python 3.10 and the ICU in TensorFlow 2.16 both implement Unicode 13.
    words = [f"Ab{chr(code)}cd" for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    reviews = [" ".join(words[start : start + 256]).encode() for start in range(0, len(words), 256)]
    assert tokenized(*reviews) == [[word.encode() for word in words_of(review, normalize=False)] for review in reviews]


def test_separators_are_those_of_the_design() -> None:
    assert sorted(SEPARATORS) == sorted(r"""!"#$%&()*+,-./:;<=>?@[\]^_`{|}~""")
    assert tokenized("a".join(SEPARATORS)) == [[b"a"] * (len(SEPARATORS) - 1)]


@pytest.mark.parametrize("normalize", [False, True])
@settings(max_examples=200)
@given(reviews=st.lists(REVIEWS, max_size=4), max_tokens=st.integers(2, 20))
def test_tokenize_and_align_agree_with_the_oracle(reviews: list[bytes], max_tokens: int, normalize: bool) -> None:
    words = tokenize(tf.constant(reviews, tf.string, [len(reviews)]), normalize=normalize)
    expected = [[word.encode() for word in words_of(review, normalize=normalize)] for review in reviews]
    assert words.to_list() == expected
    aligned = align(words, words[:, -max_tokens:], max_tokens, "[START]", "")
    assert aligned.shape == (len(reviews), max_tokens)
    assert aligned.numpy().tolist() == [tokens_of(review, max_tokens, normalize=normalize) for review in reviews]


def test_vocabulary_is_by_falling_frequency_and_ties_by_falling_bytes(transformed: Transformed) -> None:
    expected = vocabulary_of(transformed.reviews, transformed.settings.vocabulary_size)
    assert transformed.vocabulary == expected
    counts = Counter(word for review in transformed.reviews for word in words_of(review))
    assert len(counts) > len(expected) == transformed.settings.vocabulary_size - 4
    tied = [word for word in counts if counts[word] == counts[expected[-1]]]
    # Otherwise the limit and the order of ties are not tested.
    assert set(tied) & set(expected)
    assert set(tied) - set(expected)
    assert len({counts[word] for word in expected}) < len(expected)


def test_transform_agrees_with_the_oracle(transformed: Transformed) -> None:
    expected = [
        token_ids_of(review, transformed.vocabulary, transformed.settings.max_tokens) for review in transformed.reviews
    ]
    assert [row["token_ids"].tolist() for row in transformed.rows] == expected
    assert {int(token_id) for row in expected for token_id in row} == {*range(40)} - {3}
    assert [row["label"].tolist() for row in transformed.rows] == [[label] for label in transformed.labels]
    specs = transformed.output.transformed_feature_spec()
    assert {name: (spec.shape, spec.dtype) for name, spec in specs.items()} == {
        "token_ids": ([12], tf.int64),
        "label": ([1], tf.int64),
    }


@settings(max_examples=100)
@given(reviews=st.lists(REVIEWS, max_size=4))
def test_saved_graph_agrees_with_the_oracle(
    transformed: Transformed, token_ids_in_graph: TokenIds, reviews: list[bytes]
) -> None:
    vocabulary, max_tokens = transformed.vocabulary, transformed.settings.max_tokens
    assert token_ids_in_graph(reviews) == [token_ids_of(review, vocabulary, max_tokens) for review in reviews]


def test_only_the_last_tokens_are_kept(transformed: Transformed, token_ids_in_graph: TokenIds) -> None:
    words = transformed.vocabulary
    ids = list(range(4, 4 + len(words)))
    for count, expected in (
        (0, [1, *[0] * 11]),
        (10, [1, *ids[:10], 0]),
        (11, [1, *ids[:11]]),
        (12, ids[:12]),  # the start mark is the first to go
        (13, ids[1:13]),
        (30, ids[18:30]),
    ):
        assert token_ids_in_graph([" ".join(words[:count]).encode()]) == [expected]


def test_a_word_that_is_not_in_the_vocabulary_is_2(token_ids_in_graph: TokenIds) -> None:
    assert token_ids_in_graph([b"never-seen"]) == [[1, 2, 2, *[0] * 9]]


def test_ten_thousand_words_at_the_default_length() -> None:
    rng = np.random.default_rng(1)
    review = " ".join(rng.choice(["Good", "bad,", "don't", "Ünlü", "<br />", "🎬"], size=10_000)).encode()
    words, max_tokens = tokenize(tf.constant([review, b""]), normalize=True), TransformSettings().max_tokens
    aligned = align(words, words[:, -max_tokens:], max_tokens, "[START]", "").numpy().tolist()
    assert aligned == [tokens_of(review, 200), tokens_of(b"", 200)]
    assert aligned[0][0] != b"[START]"


_IN_OTHER_LOCALES = """
import json, os, sys
import tensorflow as tf
from components.transform.preprocessing import tokenize

texts = json.load(sys.stdin)
for locale in ("tr_TR.UTF-8", "lt_LT.UTF-8"):
    # TensorFlow reads the locale once, on first use: after this fork.
    if not os.fork():
        os.environ["LC_ALL"] = locale
        naive = [text.decode() for text in tf.strings.lower(texts, encoding="utf-8").numpy()]
        words = [[word.decode() for word in row] for row in tokenize(tf.constant(texts), normalize=False).to_list()]
        print(json.dumps({"naive": naive, "words": words}), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""


def test_lower_case_does_not_depend_on_the_locale() -> None:
    texts = ["IT IS ISTANBUL", "İstanbul I\u0307", "\u00cc \u00cd \u0128", "\u012e\u0300 J\u0301 I\u0300", "ΟΔΟΣ Ärger"]
    run = subprocess.run(
        [sys.executable, "-c", _IN_OTHER_LOCALES], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    seen = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row["words"] for row in seen] == [[words_of(text.encode(), normalize=False) for text in texts]] * 2
    # Both locales took effect, each in its own way.
    lowered = [text.lower() for text in texts]
    assert lowered not in [row["naive"] for row in seen]
    assert seen[0]["naive"] != seen[1]["naive"]

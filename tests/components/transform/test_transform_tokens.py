"""The tokenizer's graph agrees with the table of cases and with the Python rule."""

from typing import Any

import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from token_cases import TOKEN_CASES, for_each_token_case
from token_oracle import REVIEWS

from components.transform.preprocessing import tokenize
from imdb_core.tokens import words


def tokenized(*texts: str) -> list[list[str]]:
    rows = tokenize(tf.constant([text.encode() for text in texts], tf.string, [len(texts)]))
    return [[word.decode() for word in row] for row in rows.to_list()]


@for_each_token_case
def test_words_are_those_of_the_table(case: dict[str, Any]) -> None:
    assert tokenized(case["text"]) == [case["words"]]


def test_a_batch_gives_the_same_words_as_single_texts() -> None:
    assert tokenized(*(case["text"] for case in TOKEN_CASES)) == [case["words"] for case in TOKEN_CASES]


@settings(max_examples=200)
@given(st.lists(REVIEWS.map(lambda review: review.decode(errors="replace")), max_size=4))
def test_the_python_rule_gives_the_same_words(texts: list[str]) -> None:
    assert tokenized(*texts) == [words(text) for text in texts]

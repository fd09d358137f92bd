"""The tokenizer's graph agrees with the table of cases and with the Python rule."""

from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from token_cases import TOKEN_CASES, for_each_token_case, words_of_case
from token_oracle import REVIEWS

from components.graph_functions import graph_function
from components.transform import preprocessing
from imdb_core.normalization import COMPOSITIONS, REPLACEMENTS
from imdb_core.normalization import normalized as normalized_in_python
from imdb_core.tokens import words

both_rules = pytest.mark.parametrize("normalize", [False, True])


def tokenized(*texts: str, normalize: bool) -> list[list[str]]:
    batch = tf.constant([text.encode() for text in texts], tf.string, [len(texts)])
    rows = preprocessing.tokenize(batch, normalize=normalize)
    return [[word.decode() for word in row] for row in rows.to_list()]


@both_rules
@for_each_token_case
def test_words_are_those_of_the_table(case: dict[str, Any], normalize: bool) -> None:
    assert tokenized(case["text"], normalize=normalize) == [words_of_case(case, normalize=normalize)]


@both_rules
def test_a_batch_gives_the_same_words_as_single_texts(normalize: bool) -> None:
    expected = [words_of_case(case, normalize=normalize) for case in TOKEN_CASES]
    assert tokenized(*(case["text"] for case in TOKEN_CASES), normalize=normalize) == expected


@both_rules
@settings(max_examples=200)
@given(texts=st.lists(REVIEWS.map(lambda review: review.decode(errors="replace")), max_size=4))
def test_the_python_rule_gives_the_same_words(texts: list[str], normalize: bool) -> None:
    assert tokenized(*texts, normalize=normalize) == [words(text, normalize=normalize) for text in texts]


# The characters that are replaced or composed, and any others.
CHARACTERS = st.one_of(
    st.sampled_from(sorted({*map(chr, REPLACEMENTS), *(chr(code) for pair in COMPOSITIONS for code in pair)})),
    st.characters(exclude_categories=["Cs"]),
)


normalized_in_graph = graph_function(preprocessing.normalized, [tf.TensorSpec([None], tf.string)])


@settings(max_examples=300)
@given(st.lists(st.text(CHARACTERS).map(str.encode) | st.binary(max_size=20), max_size=4))
def test_the_graph_normalizes_as_python_does(texts: list[bytes]) -> None:
    found = normalized_in_graph(tf.constant(texts, tf.string, [len(texts)])).numpy().tolist()
    for text, got in zip(texts, found, strict=True):
        assert got.decode(errors="replace") == normalized_in_python(text.decode(errors="replace")).text


def test_every_character_is_normalized_as_in_python() -> None:
    characters = "".join(chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF)
    pairs = "".join(f"{chr(letter)}{chr(mark)} " for letter, mark in COMPOSITIONS)
    found = preprocessing.normalized(tf.constant([characters.encode(), pairs.encode()])).numpy()
    assert [text.decode() for text in found] == [normalized_in_python(text).text for text in (characters, pairs)]


@pytest.mark.parametrize(
    ("texts", "decoded"),
    [([], 0), (["plain", "don't\0"], 0), (["plain", "don\u2019t"], 1), (["cafe\u0301", "plain"], 2)],
)
def test_a_batch_runs_only_the_steps_that_one_of_its_texts_needs(texts: list[str], decoded: int) -> None:
    tokenize = graph_function(
        lambda given: preprocessing.tokenize(given, normalize=True), [tf.TensorSpec([None], tf.string)]
    )
    function = tokenize.get_concrete_function()
    metadata = tf.compat.v1.RunMetadata()
    with tf.compat.v1.Session(graph=function.graph) as session:
        traced = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.SOFTWARE_TRACE)
        session.run(function.outputs[0].name, {function.inputs[0].name: texts}, traced, metadata)
    nodes = [node.timeline_label for device in metadata.step_stats.dev_stats for node in device.node_stats]
    assert len([label for label in nodes if "UnicodeDecode(" in label]) == decoded

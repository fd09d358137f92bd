from __future__ import annotations

import json

import pytest

from serving.client.results import explanation, prediction


def test_the_more_probable_sentiment_is_the_label() -> None:
    assert prediction("x", [0.75, 0.25], 3).to_json() == {
        "text": "x",
        "label": "negative",
        "probability": 0.75,
        "probabilities": {"negative": 0.75, "positive": 0.25},
        "model_version": 3,
        "known_words": None,
        "unknown_words": None,
        "trained_on": None,
        "notice": None,
    }
    assert prediction("x", [0.25, 0.75], None).label == "positive"
    assert prediction("x", [0.5, 0.5], None).label == "negative"  # as argmax of the exported model


def test_another_number_of_probabilities_than_two_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        prediction("x", [0.2, 0.3, 0.5], None)


def test_padding_is_dropped_from_an_explanation() -> None:
    explained = explanation(
        prediction("A film", [0.1, 0.9], 3), ["[START]", "a", "film", "", ""], [0.2, 0.3, 0.5, 0, 0]
    )
    assert explained.tokens == ("[START]", "a", "film")
    assert explained.attention == (0.2, 0.3, 0.5)
    assert explained.text == "A film"
    written = json.loads(json.dumps(explained.to_json()))
    assert written["tokens"] == ["[START]", "a", "film"]
    assert written["attention"] == [0.2, 0.3, 0.5]
    assert written["label"] == "positive"


@pytest.mark.parametrize(
    ("text", "known", "unknown", "notice"),
    [
        ("A film", 2, 0, None),
        ("A zzz", 1, 1, None),
        ("zzz", 0, 1, "no known word"),
        ("", 0, 0, "empty"),
        ("?!...", 0, 0, "empty"),
        # A model that does not count says nothing of its vocabulary, but a text without a word is empty anyway.
        ("zzz", None, None, None),
        ("?!... <br />", None, None, "empty"),
    ],
)
def test_a_review_without_known_words_has_a_notice_and_keeps_its_probability(
    text: str, known: int | None, unknown: int | None, notice: str | None
) -> None:
    said = prediction(text, [0.75, 0.25], 3, known_words=known, unknown_words=unknown)
    assert (said.notice, said.verdict) == (notice, notice or "negative")
    assert (said.to_json()["notice"], said.to_json()["probability"]) == (notice, 0.75)


@pytest.mark.parametrize(
    ("tokens", "known", "counts"),
    [
        (["[START]", "a", "zz", ""], [True, True, False, False], (1, 1)),
        (["zz", "a"], [False, True], (1, 1)),  # the end of a long review
        (["[START]", ""], [True, False], (0, 0)),
    ],
)
def test_an_explanation_counts_the_words_that_are_known(
    tokens: list[str], known: list[bool], counts: tuple[int, int]
) -> None:
    explained = explanation(prediction("x", [0.1, 0.9], 3), tokens, [0.5] * len(tokens), known)
    assert (explained.known_words, explained.unknown_words) == counts
    assert explained.to_json()["known"] == known[: sum(token != "" for token in tokens)]

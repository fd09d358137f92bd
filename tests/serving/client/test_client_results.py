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

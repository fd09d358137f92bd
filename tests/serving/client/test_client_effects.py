from __future__ import annotations

import pytest
from hypothesis import given
from test_client_shading import ANY_TEXT, MAX_TOKENS, REVIEWS, as_the_network_reads, explained

from imdb_core.tokens import folded
from serving.client.effects import with_effects, without_each_word
from serving.client.shading import effects_legend, greatest_effect, shaded


def explained_alike(text: str, tokens: list[str]):
    return explained(text, tokens, [1.0] * len(tokens))


@pytest.mark.parametrize("normalize", [False, True])
@given(text=REVIEWS | ANY_TEXT)
def test_each_variant_lacks_one_word(text: str, normalize: bool) -> None:
    tokens = as_the_network_reads(text, normalize=normalize)
    variants = without_each_word(explained_alike(text, tokens))
    words = tokens[tokens[:1] == ["[START]"] :]
    assert len(variants) == len(words)
    if len(tokens) < MAX_TOKENS:
        for place, variant in enumerate(variants):
            # Two words may become one without the word between them: "a" and "b" of "a日b" are not separated.
            read = as_the_network_reads(variant, normalize=normalize)[1:]
            assert folded("".join(read)) == folded("".join(words[:place] + words[place + 1 :]))


def test_the_rest_of_the_review_stays_as_it_is() -> None:
    explanation = explained_alike("Not <br />BAD, not\u00a0bad!", ["[START]", "not", "bad", "not", "bad"])
    assert without_each_word(explanation) == [
        " <br />BAD, not\u00a0bad!",
        "Not <br />, not\u00a0bad!",
        "Not <br />BAD, \u00a0bad!",
        "Not <br />BAD, not\u00a0!",
    ]


def test_an_earlier_word_follows_where_the_review_is_too_long() -> None:
    explanation = explained_alike("one two three four", ["three", "four"])
    assert without_each_word(explanation) == ["one two  four", "one two three "]


def test_the_tokens_of_another_tokenizer_are_all_there_is() -> None:
    assert without_each_word(explained_alike("unlike", ["[START]", "un", "##like"])) == ["##like", "un"]


def test_an_effect_is_what_the_word_added_to_the_probability_of_positive() -> None:
    explanation = with_effects(explained_alike("good film", ["[START]", "good", "film"]), [0.3, 0.95])
    assert explanation.effects == (None, pytest.approx(0.6), pytest.approx(-0.05))
    assert explanation.to_json()["effects"] == list(explanation.effects)
    assert "effects" not in explained_alike("good", ["good"]).to_json()


def test_pieces_have_the_effect_of_their_word_and_its_share_of_the_greatest() -> None:
    explanation = with_effects(
        explained_alike("A good, dull film", ["[START]", "a", "good", "dull", "film"]), [0.8, 0.5, 1.0, 0.9]
    )
    pieces = {piece.text: piece for piece in shaded(explanation)}
    assert pieces["[START]"].effect is None
    assert pieces["good"].effect == pytest.approx(0.4)
    assert (pieces["good"].weight, pieces["dull"].weight) == (1.0, pytest.approx(0.25))
    assert pieces["film"].weight == 0.0
    assert greatest_effect(explanation) == pytest.approx(0.4)
    assert "by 40.0 points" in effects_legend(explanation)
    assert greatest_effect(explained_alike("", [])) == 0.0

import re
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.sample import grammar
from components.example_gen.sample.grammar import deck, derive, pick
from components.example_gen.sample.lexicon import NEUTRAL, POLAR

FILM_SLOTS = {
    *("film", "director", "writer", "lead", "second", "extra", "town", "year"),
    *("hero", "rival", "prop", "genre", "rating"),
}
LISTS = [
    *(grammar.PLAIN, grammar.NEGATED, grammar.CONTRASTED, grammar.OPENINGS, grammar.FACTS, grammar.FILLERS),
    *(grammar.EVERYDAY, grammar.EVERYDAY_CONTRASTED, grammar.TITLES),
    *(*grammar.VERDICTS, *grammar.EVERYDAY_VERDICTS, *grammar.EVERYDAY_NEGATED),
]
TEMPLATES = sorted({template for templates in LISTS for template in templates})


def rolls(seed: int = 0) -> Random:
    return Random(seed)  # noqa: S311  - not a secret


def words_of(slot: str, polarity: int) -> set[str]:
    return {re.sub(r"\{.*?\}", "", word) for word in POLAR[slot][polarity]}


@pytest.mark.parametrize("polarity", [0, 1])
def test_marks_choose_the_side(polarity: int) -> None:
    rng = rolls()
    for _ in range(50):
        same, opposite = derive("{=adj}|{!adj}", polarity, {}, rng).split("|")
        assert same in words_of("adj", polarity)
        assert opposite in words_of("adj", 1 - polarity)


def test_the_film_comes_before_the_lexicon_and_stays() -> None:
    assert derive("{genre}, {genre}", 1, {"genre": "fable"}, rolls()) == "fable, fable"


def test_slots_within_words_are_filled() -> None:
    film = {"town": "Ham", "thing": "key", "job": "nun", "friend": "aunt"}
    sentences = {derive("on {venue}", 1, film, rolls(seed)) for seed in range(200)}
    assert {"on a small cinema in Ham", "on my aunt's laptop"} <= sentences


@pytest.mark.parametrize(
    ("template", "sentence"), [("what a {x}!", "what an owl!"), ("such a {y}", "such a cat"), ("via {x}", "via owl")]
)
def test_articles_follow_the_sound(template: str, sentence: str) -> None:
    assert sentence == derive(template, 1, {"x": "owl", "y": "cat"}, rolls())


def test_unknown_slots_are_errors() -> None:
    with pytest.raises(KeyError, match="plott"):
        derive("the {plott}", 1, {}, rolls())


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_can_be_filled(template: str) -> None:
    film = dict.fromkeys(FILM_SLOTS, "x")
    for polarity in (0, 1):
        for seed in range(10):
            assert not set("{}=") & set(derive(template, polarity, film, rolls(seed)))


def test_no_template_occurs_twice_in_its_list() -> None:
    for templates in LISTS:
        assert len(templates) == len(set(templates))


def test_no_word_has_both_polarities_or_is_neutral() -> None:
    negative, positive = ({word for slot in POLAR for word in POLAR[slot][side]} for side in (0, 1))
    assert not negative & positive
    assert not (negative | positive) & {word for choices in NEUTRAL.values() for word in choices}


@given(st.lists(st.text(), min_size=1, unique=True).map(tuple), st.integers())
def test_a_deck_deals_every_card_before_it_repeats_one(choices: tuple[str, ...], seed: int) -> None:
    dealt = list(islice(deck(choices, rolls(seed)), 2 * len(choices)))
    assert sorted(choices) == sorted(dealt[: len(choices)]) == sorted(dealt[len(choices) :])


@given(st.lists(st.text(), min_size=1).map(tuple), st.integers())
def test_pick_picks_a_choice(choices: tuple[str, ...], seed: int) -> None:
    assert pick(choices, rolls(seed)) in choices

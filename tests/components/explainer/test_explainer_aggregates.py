import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.explainer.aggregates import (
    attended_words,
    entropies_of,
    entropy_histogram,
    least_reviews,
    position_profile,
    shares_of,
)

TIME = 12
VOCABULARY = "abcd"  # and no e
IDS = {"[START]": 1, "a": 4, "b": 5, "c": 6, "d": 7, "e": 2}


@st.composite
def attended(draw):
    """Draws reviews of up to `TIME` tokens: rows of (token, weight) that may begin with a start mark."""
    tokens = st.tuples(st.sampled_from("abcde"), st.one_of(st.just(0.0), st.floats(0.001, 10)))
    rows = draw(st.lists(st.lists(tokens, max_size=TIME - 1), min_size=1, max_size=6))
    return [[("[START]", draw(st.floats(0.001, 10))), *row] if draw(st.booleans()) else row for row in rows]


def arrays(rows):
    token_ids = np.zeros((len(rows), TIME), np.int64)
    weights = np.full((len(rows), TIME), 9.0)  # what stands at padding must not count
    for place, row in enumerate(rows):
        for position, (token, weight) in enumerate(row):
            token_ids[place, position], weights[place, position] = IDS[token], weight
    return token_ids, weights, token_ids != 0, token_ids > 1


def shares_in_python(row) -> list[float]:
    total = sum(weight for _, weight in row)
    return [weight / total if total else 1 / len(row) for _, weight in row]


@settings(max_examples=100)
@given(attended())
def test_shares_sum_to_one_over_the_tokens(rows):
    _, weights, is_token, _ = arrays(rows)
    shares = shares_of(weights, is_token)
    for place, row in enumerate(rows):
        np.testing.assert_allclose(shares[place], shares_in_python(row) + [0] * (TIME - len(row)), atol=1e-12)


def test_weights_that_do_not_compete_become_uniform():
    weights, is_token = np.full((1, 4), 1.0, np.float32), np.array([[True, True, True, False]])
    np.testing.assert_allclose(shares_of(weights, is_token), [[1 / 3, 1 / 3, 1 / 3, 0]])


@settings(max_examples=100)
@given(attended(), st.integers(1, 3))
def test_words_are_those_of_a_count_in_plain_python(rows, min_reviews):
    token_ids, weights, is_token, _ = arrays(rows)
    drawn, lifts, places = defaultdict(list), defaultdict(list), defaultdict(set)
    for place, row in enumerate(rows):
        for (token, _), share in zip(row, shares_in_python(row), strict=True):
            if token in VOCABULARY:
                drawn[token].append(share)
                lifts[token].append(share * len(row))
                places[token].add(place)
    found = attended_words(token_ids, shares_of(weights, is_token), VOCABULARY, min_reviews)
    assert {word["word"] for word in found} == {word for word in places if len(places[word]) >= min_reviews}
    for word in found:
        assert word["reviews"] == len(places[word["word"]])
        assert word["occurrences"] == len(drawn[word["word"]])
        assert word["mean_weight"] == pytest.approx(np.mean(drawn[word["word"]]))
        assert word["lift"] == pytest.approx(np.mean(lifts[word["word"]]))
    ordered = [(-round(word["lift"], 6), word["word"]) for word in found]
    assert ordered == sorted(ordered)


def test_at_most_forty_words_are_listed_and_the_tied_ones_by_name():
    vocabulary = [f"w{number:02}" for number in reversed(range(50))]
    token_ids = np.arange(4, 54)[np.newaxis]
    words = attended_words(token_ids, shares_of(np.ones((1, 50)), token_ids > 0), vocabulary, 1)
    assert [word["word"] for word in words] == [f"w{number:02}" for number in range(40)]
    assert [word["lift"] for word in words] == [pytest.approx(1.0)] * 40


def test_a_listed_word_occurs_in_three_reviews_and_in_one_of_two_hundred():
    assert [least_reviews(measured) for measured in (1, 600, 601, 5000)] == [3, 3, 4, 25]


@settings(max_examples=100)
@given(attended())
def test_deciles_are_those_of_stretches_in_plain_python(rows):
    _, weights, is_token, is_word = arrays(rows)
    profiles = []
    for row in rows:
        pairs = zip(row, shares_in_python(row), strict=True)
        words = [share for (token, _), share in pairs if token != "[START]"]
        if sum(words) == 0:
            continue
        profile = [0.0] * 10
        for place, share in enumerate(words):
            start, end = place / len(words), (place + 1) / len(words)
            for decile in range(10):
                overlap = max(0.0, min(end, (decile + 1) / 10) - max(start, decile / 10))
                profile[decile] += share / sum(words) * overlap / (end - start)
        profiles.append(profile)
    expected = np.mean(profiles, axis=0) if profiles else np.zeros(10)
    profile = position_profile(shares_of(weights, is_token), is_word)
    np.testing.assert_allclose(profile["deciles"], expected, atol=1e-9)
    marks = [shares_in_python(row)[0] for row in rows if row and row[0][0] == "[START]"]
    assert profile["start_mark"] == (pytest.approx(np.mean(marks)) if marks else None)


def test_each_of_two_words_covers_five_deciles():
    shares, is_word = np.array([[0.5, 0.4, 0.1, 0.0]]), np.array([[False, True, True, False]])
    profile = position_profile(shares, is_word)
    np.testing.assert_allclose(profile["deciles"], [0.16] * 5 + [0.04] * 5)
    assert profile["start_mark"] == 0.5


@settings(max_examples=100)
@given(attended())
def test_entropies_are_those_of_the_formula_in_plain_python(rows):
    _, weights, is_token, _ = arrays(rows)
    found = entropies_of(shares_of(weights, is_token), is_token)
    for row, entropy in zip(rows, found, strict=True):
        bits = -sum(share * math.log(share) for share in shares_in_python(row) if share)
        assert entropy == pytest.approx(bits / math.log(len(row)) if len(row) > 1 else 1.0)
    assert np.all((found >= 0) & (found <= 1))


def test_entropy_is_one_if_uniform_and_zero_for_a_single_token_of_many():
    is_token = np.array([[True, True, True], [True, True, False], [True, False, False]])
    shares = np.array([[1 / 3] * 3, [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(entropies_of(shares, is_token), [1.0, 0.0, 1.0])


def test_the_histogram_counts_every_review():
    histogram = entropy_histogram(np.array([0.0, 0.5, 1.0, 1.0]))
    assert histogram["mean"] == 0.625
    assert len(histogram["bin_edges"]) == len(histogram["counts"]) + 1
    assert (histogram["counts"][0], histogram["counts"][10], histogram["counts"][-1]) == (1, 1, 2)
    assert sum(histogram["counts"]) == 4

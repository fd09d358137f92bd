"""Describes attention over many reviews: which words draw it, where in a review it is, how concentrated it is.

All weights are first divided by their sum over a review's tokens; this makes the weights of the blog's softmax, which
do not compete across words, uniform. Arrays are `[n, time]`, for `n` reviews, unless stated otherwise.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from components.explainer.arrays import Bools, Floats, TokenIds
from imdb_core import features

WORDS: Final = 40
DECILES: Final = 10
ENTROPY_BINS: Final = 20

# A word is listed if it occurs in at least one of 200 reviews: fewer would make its mean depend on a few of them.
_REVIEWS_A_WORD: Final = 200
_FEWEST_REVIEWS: Final = 3
_DECIMALS: Final = 6


def shares_of(weights: Floats, is_token: Bools) -> Floats:
    """Divides each review's non-negative weights by their sum; padding, where `is_token` is False, does not count.

    Rows of the result sum to 1, or to 0 without tokens. Tokens whose weights are all 0 get equal shares.
    """
    counted: npt.NDArray[np.float64] = np.where(is_token, weights, 0.0).astype(np.float64)
    counted = np.where(counted.sum(axis=1, keepdims=True) > 0, counted, is_token)
    return np.divide(counted, np.maximum(counted.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))


def least_reviews(measured: int) -> int:
    """Returns in how many of `measured` reviews a word must occur to be listed."""
    return max(_FEWEST_REVIEWS, ceil(measured / _REVIEWS_A_WORD))


def attended_words(
    token_ids: TokenIds, shares: Floats, vocabulary: Sequence[str], min_reviews: int
) -> list[dict[str, Any]]:
    """Finds the words of the vocabulary that draw the most attention.

    Args:
        token_ids: int64 `[n, time]`.
        shares: Shares of attention, `[n, time]`.
        vocabulary: The word of each id from `features.FIRST_WORD_ID` on.
        min_reviews: The minimum number of reviews in which a listed word occurs.

    Returns:
        At most `WORDS` words with `word`, `reviews`, `occurrences`, `mean_weight` (the mean share of attention in its
        review) and `lift` (the mean of share times number of tokens; uniform attention gives 1), sorted by falling lift
        and then by word.
    """
    known = token_ids >= features.FIRST_WORD_ID
    places, size = token_ids[known] - features.FIRST_WORD_ID, len(vocabulary)
    lifts = shares * (token_ids != features.PADDING_ID).sum(axis=1, keepdims=True)
    occurrences = np.bincount(places, minlength=size)
    pairs = np.unique(np.nonzero(known)[0] * size + places)  # one for each word of each review
    in_reviews = np.bincount(pairs % size, minlength=size)
    mean_weight = np.bincount(places, shares[known], minlength=size) / np.maximum(occurrences, 1)
    lift = np.bincount(places, lifts[known], minlength=size) / np.maximum(occurrences, 1)
    eligible = np.flatnonzero(in_reviews >= min_reviews)
    # Rounding affects only the order: uniform attention sorts words by name, not by rounding errors.
    ordered = sorted(eligible, key=lambda place: (-round(lift[place], _DECIMALS), vocabulary[place]))
    return [
        {
            "word": vocabulary[place],
            "reviews": int(in_reviews[place]),
            "occurrences": int(occurrences[place]),
            "mean_weight": float(mean_weight[place]),
            "lift": float(lift[place]),
        }
        for place in ordered[:WORDS]
    ]


def position_profile(shares: Floats, is_word: Bools) -> dict[str, Any]:
    """Computes how attention is distributed over the length of a review.

    The i-th of n words that the network gets covers the part from (i - 1) / n to i / n of its review, and each decile
    gets the portion of the word's share that falls into it. Uniform attention gives 0.1 everywhere.

    Returns:
        `deciles`: The mean over reviews of the words' attention in each tenth; they sum to 1, or to 0 if no review has
        a word. `start_mark`: The mean share of the start mark over the reviews that have one; None if there are none.
    """
    edges = np.linspace(0.0, 1.0, DECILES + 1)
    profiles = []
    for row, words in zip(shares, is_word, strict=True):
        passed = np.concatenate([[0.0], np.cumsum(row[words])])
        if passed[-1] > 0:
            profiles.append(np.diff(np.interp(edges, np.linspace(0.0, 1.0, len(passed)), passed / passed[-1])))
    marked = ~is_word[:, 0] & (shares[:, 0] > 0)
    return {
        "deciles": np.mean(profiles, axis=0).tolist() if profiles else [0.0] * DECILES,
        "start_mark": float(shares[marked, 0].mean()) if marked.any() else None,
    }


def entropies_of(shares: Floats, is_token: Bools) -> Floats:
    """Measures how evenly attention is distributed.

    Returns:
        float64 `[n]` in [0, 1]: the entropy of each row divided by the logarithm of its number of tokens (Pielou's
        evenness, "The measurement of diversity in different types of biological collections", 1966). 1 is uniform, 0
        is a single one of several tokens. A review of one token counts as uniform.
    """
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logs).sum(axis=1)
    tokens = is_token.sum(axis=1)
    greatest = np.log(np.maximum(tokens, 1))
    even: Floats = np.divide(entropy, greatest, out=np.ones_like(entropy), where=tokens > 1)
    return even.clip(0.0, 1.0)


def entropy_histogram(entropies: Floats) -> dict[str, Any]:
    """Returns `mean`, `bin_edges` from 0 to 1 and `counts`."""
    counts, edges = np.histogram(entropies, bins=ENTROPY_BINS, range=(0.0, 1.0))
    return {
        "mean": float(entropies.mean()) if entropies.size else 0.0,
        "bin_edges": edges.tolist(),
        "counts": counts.tolist(),
    }

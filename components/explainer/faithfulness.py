"""Measures whether the most-attended words carry the decision: words are removed, and the prediction is compared.

Comprehensiveness and sufficiency are those of DeYoung et al., "ERASER: A benchmark to evaluate rationalized NLP
models", ACL 2020. Each has a control: the same number of words, drawn at random from the same review. Arrays are
`[n, time]`, for `n` reviews, unless stated otherwise.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from components.explainer.arrays import Bools, Floats, TokenIds
from imdb_core import features
from imdb_core.stats import intervals

KS: Final = (1, 2, 5, 10, 20)
ATTENTION: Final = "attention"
RANDOM: Final = "random"

_CONFIDENCE: Final = 0.95
# Differences smaller than this fraction of uniform attention are rounding errors: such words are equally attended.
_DECIMALS: Final = 5


def words_in(token_ids: TokenIds) -> Bools:
    """Returns True for words, and False for padding and the start mark."""
    is_word: Bools = ~np.isin(token_ids, (features.PADDING_ID, features.START_ID))
    return is_word


def keep(token_ids: TokenIds, kept: Bools) -> TokenIds:
    """Deletes all tokens but those that are `kept`, which move up; padding follows them."""
    order = np.argsort(~kept, axis=1, kind="stable")
    moved = np.take_along_axis(token_ids, order, axis=1)
    return np.where(np.take_along_axis(kept, order, axis=1), moved, features.PADDING_ID)


def ranks_of(scores: Floats, is_word: Bools, tie_breaks: Floats) -> npt.NDArray[np.intp]:
    """Ranks the words of each review from 0 by falling score; other tokens rank after all words.

    Of words with equal scores, the one with the smaller tie break comes first.
    """
    order = np.lexsort((tie_breaks, -scores, ~is_word), axis=1)
    ranks: npt.NDArray[np.intp] = np.empty(order.shape, np.intp)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return ranks


def draws_for(count: int, time: int, seed: int) -> Floats:
    """Draws the random numbers that break ties and select random words, float64 `[count, 2, time]` in [0, 1).

    The first reviews get the same numbers for any count.
    """
    return np.random.default_rng(seed).random((count, 2, time))


def measure(
    predict: Callable[[TokenIds], Floats], token_ids: TokenIds, shares: Floats, probabilities: Floats, draws: Floats
) -> dict[str, Any]:
    """Measures one mode.

    Args:
        predict: The network, from token ids to probabilities `[n, 2]`.
        token_ids: Token ids; each row has a word.
        shares: Shares of attention; rows sum to 1.
        probabilities: The network's output for the whole reviews, `[n, 2]`.
        draws: Random numbers from `draws_for`, `[n, 2, time]`.

    Returns:
        `reviews`; `k`; `comprehensiveness`, how much the probability of the predicted class falls without the k words;
        `sufficiency`, how much it falls if only the k words are left; and `flips`, the share of reviews whose label
        changes without the k words. The last three hold a list by `attention` and `random`, with one entry for each k:
        a number, or `mean`, `low` and `high`. The start mark is never removed.
    """
    is_word = words_in(token_ids)
    is_start = token_ids == features.START_ID
    lifts = np.round(shares * (is_word | is_start).sum(axis=1, keepdims=True), _DECIMALS)
    ranks = {
        ATTENTION: ranks_of(lifts, is_word, draws[:, 0]),
        RANDOM: ranks_of(np.zeros_like(lifts), is_word, draws[:, 1]),
    }
    predicted = probabilities.argmax(axis=1)
    before = _of_class(probabilities, predicted)
    measures: dict[str, dict[str, list[Any]]] = {"comprehensiveness": {}, "sufficiency": {}, "flips": {}}
    for name, rank in ranks.items():
        chosen = [is_word & (rank < k) for k in KS]
        predictions = [
            (predict(keep(token_ids, is_start | (is_word & ~words))), predict(keep(token_ids, is_start | words)))
            for words in chosen
        ]
        without, only = zip(*predictions, strict=True)
        measures["comprehensiveness"][name] = [mean_with_interval(before - _of_class(p, predicted)) for p in without]
        measures["sufficiency"][name] = [mean_with_interval(before - _of_class(p, predicted)) for p in only]
        flipped = [p.argmax(axis=1) != predicted for p in without]
        measures["flips"][name] = [float(rows.mean()) if len(rows) else 0.0 for rows in flipped]
    return {"reviews": len(token_ids), "k": list(KS), **measures}


def mean_with_interval(values: Floats) -> dict[str, float]:
    """Estimates the mean of values `[n]`, and the `low` and `high` of its 95% interval, by the normal approximation.

    All equal the value if there is only one; all are 0 for none.
    """
    if len(values) <= 1:
        only = float(values.sum())
        return {"mean": only, "low": only, "high": only}
    found = intervals.mean(values.astype(np.float64), _CONFIDENCE)
    return {"mean": found.value, "low": found.low, "high": found.high}


def _of_class(probabilities: Floats, classes: npt.NDArray[np.intp]) -> Floats:
    return np.take_along_axis(probabilities, classes[:, np.newaxis], axis=1)[:, 0]

"""Do the most-attended words carry the decision? Words are taken away, and the prediction is watched.

Comprehensiveness and sufficiency are those of DeYoung et al., "ERASER: A benchmark to evaluate rationalized NLP
models", ACL 2020, each beside the same number of words drawn at random from the same review.
"""

from collections.abc import Callable, Mapping
from math import sqrt
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from imdb_core import features

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Predict = Callable[[Ids], Floats]

KS: Final = (1, 2, 5, 10, 20)
ATTENTION: Final = "attention"
RANDOM: Final = "random"

_CONFIDENCE: Final = 0.95
# Differences below this part of uniform attention are rounding errors, so such words count as equally attended.
_DECIMALS: Final = 5


def words_in(token_ids: Ids) -> Bools:
    """Tells words from padding and the start mark.

    Args:
        token_ids: int64 `[n, time]`.

    Returns:
        bool, same shape as `token_ids`.
    """
    is_word: Bools = ~np.isin(token_ids, (features.PADDING_ID, features.START_ID))
    return is_word


def keep(token_ids: Ids, kept: Bools) -> Ids:
    """Deletes tokens: what is left moves up, and padding comes after it.

    Args:
        token_ids: int64 `[n, time]`.
        kept: bool, same shape as `token_ids`.

    Returns:
        Same shape and dtype as `token_ids`.
    """
    order = np.argsort(~kept, axis=1, kind="stable")
    moved = np.take_along_axis(token_ids, order, axis=1)
    return np.where(np.take_along_axis(kept, order, axis=1), moved, features.PADDING_ID)


def ranks_of(scores: Floats, is_word: Bools, tie_breaks: Floats) -> npt.NDArray[np.intp]:
    """Ranks the words of each review by falling score.

    Args:
        scores: floating `[n, time]`.
        is_word: `[n, time]`.
        tie_breaks: floating `[n, time]`; of words with equal scores the one with the smaller comes first.

    Returns:
        `[n, time]`: 0 for the first word; whatever is no word ranks after all words.
    """
    order = np.lexsort((tie_breaks, -scores, ~is_word), axis=1)
    ranks: npt.NDArray[np.intp] = np.empty(order.shape, np.intp)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return ranks


def draws_for(count: int, time: int, seed: int) -> Floats:
    """Random numbers for ties and for words at random; the first reviews get the same whatever their number.

    Returns:
        float64 `[count, 2, time]` in [0, 1).
    """
    return np.random.default_rng(seed).random((count, 2, time))


def measure(predict: Predict, token_ids: Ids, shares: Floats, probabilities: Floats, draws: Floats) -> dict[str, Any]:
    """Measures one mode.

    Args:
        predict: token ids `[n, time]` to probabilities `[n, 2]`.
        token_ids: int64 `[n, time]`, each row with a word.
        shares: of attention, `[n, time]`, rows sum to 1.
        probabilities: of the whole reviews, `[n, 2]`.
        draws: `[n, 2, time]`, see `draws_for`.

    Returns:
        `reviews`, `k`, and for `attention` and `random`, with one entry per k: `comprehensiveness` (what the
        probability of the predicted class loses without the k words), `sufficiency` (what it loses when the k words
        are all that is left), each with `mean`, `low` and `high`; `flips`, the share of reviews that get the other
        label without the k words. The start mark always stays.
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
    comprehensiveness: dict[str, list[Mapping[str, float]]] = {ATTENTION: [], RANDOM: []}
    sufficiency: dict[str, list[Mapping[str, float]]] = {ATTENTION: [], RANDOM: []}
    flips: dict[str, list[float]] = {ATTENTION: [], RANDOM: []}
    for name, rank in ranks.items():
        for k in KS:
            chosen = is_word & (rank < k)
            without = predict(keep(token_ids, is_start | (is_word & ~chosen)))
            only = predict(keep(token_ids, is_start | chosen))
            comprehensiveness[name].append(mean_with_interval(before - _of_class(without, predicted)))
            sufficiency[name].append(mean_with_interval(before - _of_class(only, predicted)))
            flips[name].append(float((without.argmax(axis=1) != predicted).mean()) if len(predicted) else 0.0)
    return {
        "reviews": len(token_ids),
        "k": list(KS),
        "comprehensiveness": comprehensiveness,
        "sufficiency": sufficiency,
        "flips": flips,
    }


def mean_with_interval(values: Floats) -> dict[str, float]:
    """Bounds a mean by the normal approximation.

    Args:
        values: floating `[n]`.

    Returns:
        `mean`, and `low` and `high` of its 95% interval; all equal for one value, and 0 for none.
    """
    if not values.size:
        return {"mean": 0.0, "low": 0.0, "high": 0.0}
    mean = float(values.mean(dtype=np.float64))
    deviation = float(values.std(ddof=1, dtype=np.float64)) if values.size > 1 else 0.0
    half = NormalDist().inv_cdf(0.5 + _CONFIDENCE / 2) * deviation / sqrt(values.size)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _of_class(probabilities: Floats, classes: npt.NDArray[np.intp]) -> Floats:
    return np.take_along_axis(probabilities, classes[:, np.newaxis], axis=1)[:, 0]

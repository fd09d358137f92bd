"""What the faithfulness test shows, in words that claim no more than its intervals do.

DeYoung et al., "ERASER: a benchmark to evaluate rationalized NLP models", ACL 2020, for the terms comprehensiveness
(how much less sure the model is without the chosen words) and sufficiency (how much less sure it is with them alone).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

ATTENTION: Final = "attention"
RANDOM: Final = "random"

_TOLD_K: Final = 5


def in_words(mode: str, values: Mapping[str, Any]) -> str:
    """Says what the test shows of a mode, at the number of words nearest to five.

    Args:
        mode: its name.
        values: `k`, and `comprehensiveness` and `sufficiency`, each with a list of `mean`, `low` and `high` for
            `attention` and for `random`.
    """
    if not values["k"] or not values["reviews"]:
        return f"{mode.capitalize()}: the test was not made."
    place = min(range(len(values["k"])), key=lambda index: abs(values["k"][index] - _TOLD_K))
    k = values["k"][place]
    chosen, chance = (_at(values["comprehensiveness"], by, place) for by in (ATTENTION, RANDOM))
    kept, kept_by_chance = (_at(values["sufficiency"], by, place) for by in (ATTENTION, RANDOM))
    order, sufficient = _compare(chosen, chance), _compare(kept_by_chance, kept)
    words = "the most attended word" if k == 1 else f"the {k} most attended words"
    drops = (
        f"{mode.capitalize()}: without {words} the probability of the model's answer falls by {_points(chosen)} points "
        f"on average, without as many random ones by {_points(chance)}"
    )
    verdict = {
        1: "its attention points at words that the answer depends on",
        0: "so this test does not tell its attention from chance",
        -1: "so its attention points away from the words that the answer depends on",
    }[order]
    alone = {
        1: "closer to it than random ones do",
        0: "no closer to it, as far as can be told, than random ones",
        -1: "further from it than random ones do",
    }[sufficient]
    return f"{drops}: {verdict}. Left alone, those words bring the model {alone}."


def _at(measure: Mapping[str, Sequence[Mapping[str, float]]], by: str, place: int) -> Mapping[str, float]:
    return measure[by][place]


def _compare(first: Mapping[str, float], second: Mapping[str, float]) -> int:
    """1 if the first is larger, -1 if it is smaller, 0 where the intervals overlap."""
    if first["low"] > second["high"]:
        return 1
    return -1 if first["high"] < second["low"] else 0


def _points(estimate: Mapping[str, float]) -> str:
    return f"{100 * estimate['mean']:.1f}".replace("-", "\N{MINUS SIGN}")

"""Selects the reviews to measure and to show. The selection depends only on their ids and a seed."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from components.explainer.reading import ScoredReview
from imdb_core import modes

ExampleKind = Literal["right", "wrong", "disagreement"]
KINDS: Final[tuple[ExampleKind, ...]] = ("right", "wrong", "disagreement")

# Numbers of white-space separated words; such a review fits on a screen and still has content.
_SHORTEST: Final = 20
_LONGEST: Final = 150


def drawn_order(ids: Iterable[bytes], seed: int) -> list[int]:
    """Shuffles reviews by a hash of seed and id, so that the first `n` are a random sample, the same in each run.

    Returns positions in `ids`. Equal ids keep their order.
    """
    digests = [hashlib.sha256(b"%d %b" % (seed, name)).digest() for name in ids]
    return sorted(range(len(digests)), key=digests.__getitem__)


def kind_of(review: ScoredReview) -> ExampleKind:
    """Returns whether both modes are right about a review, both are wrong, or they disagree."""
    right = {review.predicted(mode) == review.label for mode in modes.MODES}
    if len(right) > 1:
        return "disagreement"
    return "right" if right == {True} else "wrong"


def choose_examples(scored: Sequence[ScoredReview], order: Iterable[int], count: int) -> list[int]:
    """Selects equally many reviews of each kind, with alternating labels, and of moderate length if possible.

    Args:
        scored: All reviews.
        order: Positions in `scored`, in order of preference.
        count: Number of reviews. If a kind has too few, the other kinds fill its places.

    Returns:
        Positions in `scored`, by kind in the order of `KINDS`.
    """
    waiting: dict[ExampleKind, list[int]] = {kind: [] for kind in KINDS}
    # Sorting is stable: reviews of moderate length come first, and both groups keep their order.
    for position in sorted(order, key=lambda position: not _is_moderate(scored[position].text)):
        waiting[kind_of(scored[position])].append(position)
    queues = {kind: _alternating(scored, positions) for kind, positions in waiting.items()}
    taken: dict[ExampleKind, int] = dict.fromkeys(KINDS, 0)
    while sum(taken.values()) < min(count, len(scored)):
        open_kinds = [kind for kind in KINDS if taken[kind] < len(queues[kind])]
        taken[min(open_kinds, key=taken.__getitem__)] += 1
    return [position for kind in KINDS for position in queues[kind][: taken[kind]]]


def _alternating(scored: Sequence[ScoredReview], positions: Iterable[int]) -> list[int]:
    """Alternates the labels; the rest of the more frequent label comes last."""
    seen: dict[int, int] = defaultdict(int)
    turns = {}
    for position in positions:
        label = scored[position].label
        turns[position] = seen[label]
        seen[label] += 1
    return sorted(turns, key=turns.__getitem__)


def _is_moderate(text: bytes) -> bool:
    return _SHORTEST <= len(text.split()) <= _LONGEST

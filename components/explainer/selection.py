"""Which reviews are measured, and which are shown: functions of their ids and a seed, never of order or chance."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from imdb_core import modes

Kind = Literal["right", "wrong", "disagreement"]

KINDS: Final[tuple[Kind, ...]] = ("right", "wrong", "disagreement")

# White-space separated words of a review that fits on a screen and yet says something.
_SHORTEST: Final = 20

_LONGEST: Final = 150


@dataclass(frozen=True)
class ScoredReview:
    """A test review.

    Attributes:
        id: of the review in its source.
        text: UTF-8.
        label: index into `reviews.SENTIMENTS`.
        rating: 1 to 10, None where unknown.
        length_bucket: see `reviews.length_bucket`.
        positive: probability of the positive class by mode.
    """

    id: bytes
    text: bytes
    label: int
    rating: int | None
    length_bucket: str
    positive: Mapping[modes.Mode, float]

    def predicted(self, mode: modes.Mode) -> int:
        """The class that a mode takes it for; negative where both are equally probable, as argmax has it."""
        return int(self.positive[mode] > 0.5)  # noqa: PLR2004 - the middle


def drawn_order(ids: Iterable[bytes], seed: int) -> list[int]:
    """Shuffles reviews by a hash of seed and id: the first `n` are a random sample, the same in each run.

    Args:
        ids: of the reviews.
        seed: another one gives another order.

    Returns:
        Positions in `ids`. Where an id stands twice, the first comes first.
    """
    digests = [hashlib.sha256(b"%d %b" % (seed, name)).digest() for name in ids]
    return sorted(range(len(digests)), key=digests.__getitem__)


def kind_of(review: ScoredReview) -> Kind:
    """Says what a review shows: both modes right, both wrong, or one of each."""
    right = {review.predicted(mode) == review.label for mode in modes.MODES}
    if len(right) > 1:
        return "disagreement"
    return "right" if right == {True} else "wrong"


def choose_examples(scored: Sequence[ScoredReview], order: Iterable[int], count: int) -> list[int]:
    """Takes as many reviews of each kind, with both labels, and of moderate length where there are such.

    Args:
        scored: all reviews.
        order: positions in `scored`; earlier ones are taken first.
        count: number of reviews. A kind that has too few leaves its places to the others.

    Returns:
        Positions in `scored`, by kind in the order of `KINDS`.
    """
    waiting: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    # Sorting is stable: within and without moderate length, the order stays.
    for position in sorted(order, key=lambda position: not _is_moderate(scored[position].text)):
        waiting[kind_of(scored[position])].append(position)
    queues = {kind: _alternating(scored, positions) for kind, positions in waiting.items()}
    taken: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    while sum(taken.values()) < min(count, len(scored)):
        open_kinds = [kind for kind in KINDS if taken[kind] < len(queues[kind])]
        taken[min(open_kinds, key=taken.__getitem__)] += 1
    return [position for kind in KINDS for position in queues[kind][: taken[kind]]]


def _alternating(scored: Sequence[ScoredReview], positions: Iterable[int]) -> list[int]:
    """The first of each label, then the second of each, and so on; the rest of the longer list comes last."""
    seen: dict[int, int] = defaultdict(int)
    turns = {}
    for position in positions:
        label = scored[position].label
        turns[position] = seen[label]
        seen[label] += 1
    return sorted(turns, key=turns.__getitem__)


def _is_moderate(text: bytes) -> bool:
    return _SHORTEST <= len(text.split()) <= _LONGEST

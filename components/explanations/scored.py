"""A test review with what both modes say of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from components import reviews


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
    positive: Mapping[reviews.Mode, float]

    def predicted(self, mode: reviews.Mode) -> int:
        """The class that a mode takes it for; negative where both are equally probable, as argmax has it."""
        return int(self.positive[mode] > 0.5)  # noqa: PLR2004 - the middle

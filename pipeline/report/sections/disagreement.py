"""Shows on which test reviews the modes disagree."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from components.predictions.reading import ModePredictions
from imdb_core.modes import SCALAR, VECTOR
from pipeline.report.figures.mode_plots import agreement_plot


@dataclass(frozen=True)
class DisagreementSection:
    """The disagreement of the modes on test reviews."""

    reviews: int
    outcomes: Mapping[str, int]  # reviews by `both_right`, `only_scalar`, `only_vector` and `both_wrong`
    distance: float  # mean distance between the modes' probabilities
    agreement: Markup  # both modes' probabilities


def describe_disagreement(predictions: ModePredictions) -> DisagreementSection:
    """Counts on which reviews each mode is right; there must be at least one review."""
    scalar, vector = predictions.right(SCALAR), predictions.right(VECTOR)
    return DisagreementSection(
        reviews=len(predictions.labels),
        outcomes={
            "both_right": int((scalar & vector).sum()),
            "only_scalar": int((scalar & ~vector).sum()),
            "only_vector": int((~scalar & vector).sum()),
            "both_wrong": int((~scalar & ~vector).sum()),
        },
        distance=float(np.abs(predictions.positive[SCALAR] - predictions.positive[VECTOR]).mean()),
        agreement=agreement_plot(predictions),
    )

"""The quality of one mode on the test reviews, with confidence intervals, over all of them and by group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from components.predictions.reading import ModePredictions
from imdb_core import features
from imdb_core.modes import Mode
from imdb_core.stats.intervals import Estimate, auc, mean, wilson
from imdb_core.stats.scores import log_losses

_SLICES: Final = {features.LENGTH_BUCKET: "words in the review", features.RATING: "rating in stars"}


@dataclass(frozen=True)
class Metric:
    """A metric over all test reviews, and the method of its interval."""

    name: str
    estimate: Estimate
    how: str


@dataclass(frozen=True)
class Group:
    """The accuracy on a group of test reviews."""

    name: str
    reviews: int
    right: int
    accuracy: Estimate


@dataclass(frozen=True)
class Measures:
    """The quality of a mode."""

    reviews: int
    confidence: float
    metrics: tuple[Metric, ...]
    slices: Mapping[str, tuple[Group, ...]]  # by what the groups have in common; reviews without it are left out


def measure(predictions: ModePredictions, mode: Mode, confidence: float) -> Measures:
    """Measures a mode on at least one test review."""
    labels, positive, right = predictions.labels, predictions.positive[mode], predictions.right(mode)

    def group(values: np.ndarray[tuple[int], np.dtype[np.str_]], name: str) -> Group:
        inside = right[values == name]
        return Group(name, len(inside), int(inside.sum()), wilson(int(inside.sum()), len(inside), confidence))

    slices = {
        title: tuple(group(values, name) for name in sorted(set(values.tolist()) - {""}))
        for feature, title in _SLICES.items()
        for values in (predictions.slices[feature],)
    }
    return Measures(
        reviews=len(labels),
        confidence=confidence,
        metrics=(
            Metric("accuracy", wilson(int(right.sum()), len(right), confidence), "Wilson"),
            Metric("AUC", auc(labels, positive, confidence), "DeLong"),
            Metric("log loss", mean(log_losses(labels, positive), confidence), "normal approximation"),
        ),
        slices={title: groups for title, groups in slices.items() if groups},
    )

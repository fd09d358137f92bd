"""Both modes side by side, from what each says of the test reviews."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from components.predictions.reading import ModePredictions
from imdb_core import features, modes
from imdb_core.stats.intervals import Estimate, auc, auc_difference, mean, wilson
from imdb_core.stats.scores import calibration_error, log_losses
from pipeline.report.figures import plots

_SLICES: Final = ((features.LENGTH_BUCKET, "words in the review"), (features.RATING, "rating in stars"))


@dataclass(frozen=True)
class Measure:
    """A row of the table of metrics.

    Attributes:
        title: its name.
        by_mode: its value.
        difference: vector minus scalar; None where it has no interval.
        decimals: to show.
        higher_is_better: which way is good.
        how: where the intervals come from.
    """

    title: str
    by_mode: Mapping[str, Estimate]
    difference: Estimate | None
    decimals: int
    higher_is_better: bool
    how: str


@dataclass(frozen=True)
class Slice:
    """A group of test reviews.

    Attributes:
        name: of the group.
        reviews: their number.
        accuracy: by mode.
        flips: on how many the modes disagree.
    """

    name: str
    reviews: int
    accuracy: Mapping[str, Estimate]
    flips: Estimate


@dataclass(frozen=True)
class Comparison:
    """All that the page says of the modes' quality.

    Attributes:
        reviews: number of test reviews.
        confidence: of all intervals.
        measures: the table of metrics.
        confusion: by mode, by `true_negatives` and so on, numbers of reviews.
        slices: by title, the groups.
        outcomes: `both_right`, `only_scalar`, `only_vector`, `both_wrong`, numbers of reviews.
        distance: mean distance between the modes' probabilities.
        figures: pictures by name.
    """

    reviews: int
    confidence: float
    measures: list[Measure]
    confusion: Mapping[str, Mapping[str, int]]
    slices: Mapping[str, list[Slice]]
    outcomes: Mapping[str, int]
    distance: float
    figures: Mapping[str, Markup]


def compare(predictions: ModePredictions, confidence: float, accuracy_difference: Estimate | None) -> Comparison:
    """Measures both modes.

    Args:
        predictions: of the test reviews, at least one.
        confidence: of all intervals.
        accuracy_difference: vector minus scalar, as the ModeSelector found it.
    """
    slices = {title: _slices(predictions, feature, confidence) for feature, title in _SLICES}
    slices = {title: found for title, found in slices.items() if found}
    figures = {
        "reliability": plots.reliability_plot(predictions, confidence),
        "probabilities": plots.probability_plot(predictions),
        "agreement": plots.agreement_plot(predictions),
    }
    if predictions.labels.any() and not predictions.labels.all():
        figures["roc"] = plots.roc_plot(predictions)
        figures["precision_recall"] = plots.precision_recall_plot(predictions)
    for number, (title, found) in enumerate(slices.items()):
        groups = {item.name: item.accuracy for item in found}
        figures[title] = plots.slices_plot(f"slices{number}", title, groups)
    right = {mode: predictions.right(mode) for mode in modes.MODES}
    scalar, vector = right[modes.SCALAR], right[modes.VECTOR]
    positive = [predictions.positive[mode] for mode in modes.MODES]
    return Comparison(
        reviews=len(predictions.labels),
        confidence=confidence,
        measures=_measures(predictions, confidence, accuracy_difference),
        confusion={mode: _confusion(predictions, mode) for mode in modes.MODES},
        slices=slices,
        outcomes={
            "both_right": int((scalar & vector).sum()),
            "only_scalar": int((scalar & ~vector).sum()),
            "only_vector": int((~scalar & vector).sum()),
            "both_wrong": int((~scalar & ~vector).sum()),
        },
        distance=float(np.abs(positive[0] - positive[1]).mean()),
        figures=figures,
    )


def _measures(predictions: ModePredictions, confidence: float, accuracy_difference: Estimate | None) -> list[Measure]:
    labels, positive = predictions.labels, predictions.positive
    losses = {mode: log_losses(labels, positive[mode]) for mode in modes.MODES}
    return [
        Measure(
            "accuracy",
            {mode: wilson(int(predictions.right(mode).sum()), len(labels), confidence) for mode in modes.MODES},
            accuracy_difference,
            4,
            higher_is_better=True,
            how="Wilson; difference: adjusted Wald for pairs (Bonett and Price)",
        ),
        Measure(
            "AUC",
            {mode: auc(labels, positive[mode], confidence) for mode in modes.MODES},
            auc_difference(labels, positive[modes.SCALAR], positive[modes.VECTOR], confidence),
            4,
            higher_is_better=True,
            how="DeLong; difference: DeLong for pairs",
        ),
        Measure(
            "log loss",
            {mode: mean(losses[mode], confidence) for mode in modes.MODES},
            mean(losses[modes.VECTOR] - losses[modes.SCALAR], confidence),
            4,
            higher_is_better=False,
            how="normal approximation; difference: of pairs",
        ),
        Measure(
            "calibration error",
            {mode: Estimate(calibration_error(labels, positive[mode]), nan, nan) for mode in modes.MODES},
            None,
            4,
            higher_is_better=False,
            how="no interval: see the whiskers of the reliability diagram",
        ),
    ]


def _confusion(predictions: ModePredictions, mode: modes.Mode) -> dict[str, int]:
    right, labels = predictions.right(mode), predictions.labels
    return {
        "true_negatives": int((right & ~labels).sum()),
        "false_positives": int((~right & ~labels).sum()),
        "false_negatives": int((~right & labels).sum()),
        "true_positives": int((right & labels).sum()),
    }


def _slices(predictions: ModePredictions, feature: str, confidence: float) -> list[Slice]:
    values = predictions.slices[feature]
    right = {mode: predictions.right(mode) for mode in modes.MODES}
    flips = right[modes.SCALAR] != right[modes.VECTOR]
    found = []
    for name in sorted(set(values.tolist()) - {""}):
        inside = values == name
        size = int(inside.sum())
        accuracy: dict[str, Estimate] = {
            mode: wilson(int((right[mode] & inside).sum()), size, confidence) for mode in modes.MODES
        }
        shown: Any = name.lstrip("0") if feature == features.RATING else name
        found.append(Slice(shown, size, accuracy, wilson(int((flips & inside).sum()), size, confidence)))
    return found

"""Compares both modes by their predictions of the test reviews."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Final

from markupsafe import Markup

from components.predictions.reading import ModePredictions
from imdb_core import features
from imdb_core.modes import MODES, SCALAR, VECTOR, Mode
from imdb_core.stats.intervals import Estimate, auc, auc_difference, mean, wilson
from imdb_core.stats.scores import calibration_error, log_losses
from pipeline.report.figures import mode_plots

_SLICES: Final = ((features.LENGTH_BUCKET, "words in the review"), (features.RATING, "rating in stars"))
# Confidence of the intervals if the run did not get as far as a selection.
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class MetricRow:
    """A row of the table of metrics."""

    title: str
    by_mode: Mapping[str, Estimate]
    difference: Estimate | None  # vector minus scalar; None if it has no interval
    higher_is_better: bool
    how: str  # the method of the intervals


@dataclass(frozen=True)
class SliceRow:
    """A group of test reviews."""

    name: str
    reviews: int
    accuracy: Mapping[str, Estimate]
    flips: Estimate  # share of the reviews on which the modes disagree


@dataclass(frozen=True)
class ModesSection:
    """The quality of both modes on test reviews."""

    reviews: int
    confidence: float  # of the intervals
    metrics: list[MetricRow]  # the first is the accuracy
    parameters: Mapping[str, int] | None  # None if the run did not get as far as a selection
    confusion: Mapping[str, Mapping[str, int]]  # reviews by mode and cell
    slices: Mapping[str, list[SliceRow]]  # groups by title
    figures: Mapping[str, Markup]


def describe_modes(predictions: ModePredictions, selection: Mapping[str, Any] | None) -> ModesSection:
    """Compares the quality of both modes on at least one review; a run that did not get that far has no selection."""
    difference = Estimate(selection["accuracy_difference"], *selection["interval"]) if selection else None
    confidence = selection["confidence"] if selection else _CONFIDENCE
    slices = {title: _slices(predictions, feature, confidence) for feature, title in _SLICES}
    slices = {title: found for title, found in slices.items() if found}
    figures = {
        "reliability": mode_plots.reliability_plot(predictions, confidence),
        "probabilities": mode_plots.probability_plot(predictions),
    }
    if predictions.labels.any() and not predictions.labels.all():
        figures["roc"] = mode_plots.roc_plot(predictions)
        figures["precision_recall"] = mode_plots.precision_recall_plot(predictions)
    for number, (title, found) in enumerate(slices.items()):
        groups = {item.name: item.accuracy for item in found}
        figures[title] = mode_plots.slices_plot(f"slices{number}", title, groups)
    return ModesSection(
        reviews=len(predictions.labels),
        confidence=confidence,
        metrics=_metrics(predictions, confidence, difference),
        parameters=selection["parameters"] if selection else None,
        confusion={mode: _confusion(predictions, mode) for mode in MODES},
        slices=slices,
        figures=figures,
    )


def _metrics(predictions: ModePredictions, confidence: float, accuracy_difference: Estimate | None) -> list[MetricRow]:
    labels, positive = predictions.labels, predictions.positive
    losses = {mode: log_losses(labels, positive[mode]) for mode in MODES}
    return [
        MetricRow(
            "accuracy",
            {mode: wilson(int(predictions.right(mode).sum()), len(labels), confidence) for mode in MODES},
            accuracy_difference,
            higher_is_better=True,
            how="Wilson; difference: adjusted Wald for pairs (Bonett and Price)",
        ),
        MetricRow(
            "AUC",
            {mode: auc(labels, positive[mode], confidence) for mode in MODES},
            auc_difference(labels, positive[SCALAR], positive[VECTOR], confidence),
            higher_is_better=True,
            how="DeLong; difference: DeLong for pairs",
        ),
        MetricRow(
            "log loss",
            {mode: mean(losses[mode], confidence) for mode in MODES},
            mean(losses[VECTOR] - losses[SCALAR], confidence),
            higher_is_better=False,
            how="normal approximation; difference: of pairs",
        ),
        MetricRow(
            "calibration error",
            {mode: Estimate(calibration_error(labels, positive[mode]), nan, nan) for mode in MODES},
            None,
            higher_is_better=False,
            how="no interval: see the whiskers of the reliability diagram",
        ),
    ]


def _confusion(predictions: ModePredictions, mode: Mode) -> dict[str, int]:
    right, labels = predictions.right(mode), predictions.labels
    return {
        "true_negatives": int((right & ~labels).sum()),
        "false_positives": int((~right & ~labels).sum()),
        "false_negatives": int((~right & labels).sum()),
        "true_positives": int((right & labels).sum()),
    }


def _slices(predictions: ModePredictions, feature: str, confidence: float) -> list[SliceRow]:
    values = predictions.slices[feature]
    right = {mode: predictions.right(mode) for mode in MODES}
    flips = right[SCALAR] != right[VECTOR]
    found = []
    for name in sorted(set(values.tolist()) - {""}):
        inside = values == name
        size = int(inside.sum())
        accuracy: dict[str, Estimate] = {
            mode: wilson(int((right[mode] & inside).sum()), size, confidence) for mode in MODES
        }
        shown = name.lstrip("0") if feature == features.RATING else name
        found.append(SliceRow(shown, size, accuracy, wilson(int((flips & inside).sum()), size, confidence)))
    return found

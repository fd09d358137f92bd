"""What a study found, as JSON and in words."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from components.evaluator import metrics
from imdb_core import modes
from imdb_core.stats.quantiles import POWER
from imdb_core.stats.scores import FloatArray
from imdb_core.stats.seeds import MOST_SEEDS, Difference, Spread, paired_difference, unpaired_difference
from pipeline.study.predictions import METRICS

# Beyond the difference's own sign: of a loss less is better.
_LESS_IS_BETTER: Final = frozenset({metrics.LOG_LOSS})


class Scale(NamedTuple):
    """How a metric is told.

    Attributes:
        factor: what it is multiplied with.
        digits: after the point.
        unit: with a space before, or none.
    """

    factor: float
    digits: int
    unit: str


POINTS: Final = Scale(100.0, 2, " points")
SCALES: Final[Mapping[str, Scale]] = {
    metrics.ACCURACY: POINTS,
    metrics.AUC: POINTS,
    metrics.LOG_LOSS: Scale(1.0, 4, ""),
}


def spreads(values: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Sums up one mode of one preset.

    Args:
        values: by metric, `[seeds, reviews]`.

    Returns:
        JSON by metric: `mean`, `deviation`, `least`, `most`.
    """
    return {name: vars(Spread.of([float(row.mean()) for row in by_seed])) for name, by_seed in values.items()}


def compare_modes(values: Mapping[modes.Mode, Mapping[str, FloatArray]], confidence: float) -> dict[str, Any]:
    """Compares the vector mode with the scalar one, seed by seed.

    Args:
        values: by mode and metric, `[seeds, reviews]`.
        confidence: of all intervals.

    Returns:
        JSON by metric, see `compare_presets`.
    """
    names = (modes.VECTOR, modes.SCALAR)
    return {
        name: _found(
            names,
            [values[modes.VECTOR][name], values[modes.SCALAR][name]],
            name,
            confidence,
            is_paired=True,
        )
        for name in METRICS
    }


def compare_presets(values: Mapping[str, Mapping[str, FloatArray]], confidence: float) -> dict[str, Any]:
    """Compares the first of two presets with the second, in one mode.

    Args:
        values: by preset and metric, `[seeds, reviews]`, of the same reviews.
        confidence: of all intervals.

    Returns:
        JSON by metric: the `difference`, `seed_interval` and `crossed_interval`, whether it is `shown`,
        `smallest_detectable` and `seeds_needed`, and the `verdict` in words. One seed has a difference and no more.
    """
    names = tuple(values)
    return {
        name: _found(names, [of_preset[name] for of_preset in values.values()], name, confidence, is_paired=False)
        for name in METRICS
    }


def _found(
    names: Sequence[str], pair: Sequence[FloatArray], metric: str, confidence: float, *, is_paired: bool
) -> dict[str, Any]:
    first, second = pair
    if len(first) < 2:  # noqa: PLR2004 - a spread
        value = float(first.mean() - second.mean())
        told = _signed(value, SCALES[metric])
        return {
            "difference": value,
            "verdict": f"no verdict from one seed ({' minus '.join(names)}: {told}); use --seeds 2 or more",
        }
    compare = paired_difference if is_paired else unpaired_difference
    difference = compare(first, second)
    return {
        "difference": difference.value,
        "seed_interval": difference.seed_interval(confidence),
        "crossed_interval": difference.crossed_interval(confidence),
        "shown": difference.is_shown(confidence),
        "smallest_detectable": difference.detectable(confidence),
        "seeds_needed": difference.seeds_needed(confidence),
        "verdict": verdict(names, difference, metric, confidence),
    }


def verdict(names: Sequence[str], difference: Difference, metric: str, confidence: float) -> str:
    """Says what was found.

    Args:
        names: of the two that differ; the difference is the first minus the second.
        difference: of `metric`.
        metric: its name.
        confidence: like 0.95.
    """
    scale = SCALES[metric]
    bounds = difference.interval(confidence)
    level = f"{100 * confidence:g}% interval"
    if difference.is_shown(confidence):
        is_first = (difference.value > 0) != (metric in _LESS_IS_BETTER)
        low, high = sorted(abs(bound) for bound in bounds)
        return (
            f"{names[0 if is_first else 1]} is better by {_plain(abs(difference.value), scale)}{scale.unit} "
            f"({level} {_plain(low, scale)} to {_plain(high, scale)}, {difference.seeds} seeds)"
        )
    low, high = bounds
    return (
        f"no difference shown: {' minus '.join(names)} is {_signed(difference.value, scale)} "
        f"({level} {_signed(low, scale, unit=False)} to {_signed(high, scale, unit=False)}, {difference.seeds} seeds)"
        f"{_asked(difference, scale, confidence)}"
    )


def _asked(difference: Difference, scale: Scale, confidence: float) -> str:
    """Says what it would take to tell the two apart."""
    smallest = difference.detectable(confidence)
    if not smallest:
        return "; all trainings came to the same"
    needed = difference.seeds_needed(confidence)
    takes = f"{needed:,} seeds" if needed else f"more reviews, or more than {MOST_SEEDS:,} seeds"
    asked = f"to show {_plain(abs(difference.value), scale)}{scale.unit} takes {takes}; " if difference.value else ""
    return f"; with {POWER:.0%} power, {asked}{difference.seeds} seeds show {_plain(smallest, scale)}{scale.unit}"


def _plain(value: float, scale: Scale) -> str:
    return f"{scale.factor * value:.{scale.digits}f}"


def _signed(value: float, scale: Scale, *, unit: bool = True) -> str:
    return f"{scale.factor * value:+.{scale.digits}f}{scale.unit if unit else ''}"

"""Compares the trainings of a study, and words the verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from components.evaluator import metrics
from imdb_core import modes
from imdb_core.stats.quantiles import POWER
from imdb_core.stats.scores import FloatArray
from imdb_core.stats.seeds import MOST_SEEDS, Difference, Spread, paired_difference, unpaired_difference

_LESS_IS_BETTER: Final = frozenset({metrics.LOG_LOSS})


class MetricScale(NamedTuple):
    """How values of a metric are written: times a factor, with so many decimals, and a unit after its leading space."""

    factor: float
    digits: int
    unit: str

    def plain(self, value: float) -> str:
        """Formats a value without a unit."""
        return f"{self.factor * value:.{self.digits}f}"

    def signed(self, value: float) -> str:
        """Formats a value with its sign and without a unit."""
        return f"{self.factor * value:+.{self.digits}f}"


_POINTS: Final = MetricScale(100.0, 2, " points")
SCALES: Final[Mapping[str, MetricScale]] = {
    metrics.ACCURACY: _POINTS,
    metrics.AUC: _POINTS,
    metrics.LOG_LOSS: MetricScale(1.0, 4, ""),
}


def spreads(values: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Summarizes the trainings of one mode of one preset as `mean`, `deviation`, `least` and `most` of each metric.

    Args:
        values: The values by metric, float64 `[seeds, reviews]`.
    """
    return {name: vars(Spread.of([float(row.mean()) for row in by_seed])) for name, by_seed in values.items()}


def compare_modes(values: Mapping[modes.Mode, Mapping[str, FloatArray]], confidence: float) -> dict[str, Any]:
    """Compares the vector with the scalar mode, seed by seed; see `compare_presets` for the values and the result."""
    return _compare({mode: values[mode] for mode in (modes.VECTOR, modes.SCALAR)}, confidence, is_paired=True)


def compare_presets(values: Mapping[str, Mapping[str, FloatArray]], confidence: float) -> dict[str, Any]:
    """Compares the first of two presets with the second, in one mode.

    Args:
        values: The values by preset and metric, float64 `[seeds, reviews]`, of the same reviews.
        confidence: Confidence of all intervals, such as 0.95.

    Returns:
        JSON by metric: the `difference`, `seed_interval`, `crossed_interval`, whether the difference is `shown`,
        `smallest_detectable`, `seeds_needed`, and the `verdict` in words. With one seed, only the `difference` and the
        `verdict`.
    """
    return _compare(values, confidence, is_paired=False)


def _compare(values: Mapping[str, Mapping[str, FloatArray]], confidence: float, *, is_paired: bool) -> dict[str, Any]:
    names, (first, second) = tuple(values), values.values()
    return {name: _compared(names, first[name], second[name], name, confidence, is_paired=is_paired) for name in SCALES}


def _compared(
    names: Sequence[str], first: FloatArray, second: FloatArray, metric: str, confidence: float, *, is_paired: bool
) -> dict[str, Any]:
    if len(first) == 1:
        value = float(first.mean() - second.mean())
        scale = SCALES[metric]
        shown = f"{' minus '.join(names)}: {scale.signed(value)}{scale.unit}"
        return {"difference": value, "verdict": f"no verdict from one seed ({shown}); use --seeds 2 or more"}
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
    """Words the outcome of a comparison, whose difference in a metric is that of the first name minus the second."""
    scale = SCALES[metric]
    bounds = difference.interval(confidence)
    level = f"{100 * confidence:g}% interval"
    if difference.is_shown(confidence):
        first_is_better = (difference.value > 0) != (metric in _LESS_IS_BETTER)
        low, high = sorted(abs(bound) for bound in bounds)
        return (
            f"{names[0 if first_is_better else 1]} is better by {scale.plain(abs(difference.value))}{scale.unit} "
            f"({level} {scale.plain(low)} to {scale.plain(high)}, {difference.seeds} seeds)"
        )
    low, high = bounds
    return (
        f"no difference shown: {' minus '.join(names)} is {scale.signed(difference.value)}{scale.unit} "
        f"({level} {scale.signed(low)} to {scale.signed(high)}, {difference.seeds} seeds)"
        f"{_power_note(difference, scale, confidence)}"
    )


def _power_note(difference: Difference, scale: MetricScale, confidence: float) -> str:
    """Describes how many seeds this difference needs, and which difference these seeds can show."""
    smallest = difference.detectable(confidence)
    if not smallest:
        return "; all trainings gave the same result"
    needed = difference.seeds_needed(confidence)
    takes = f"{needed:,} seeds" if needed else f"more reviews, or more than {MOST_SEEDS:,} seeds"
    value = f"{scale.plain(abs(difference.value))}{scale.unit}"
    showing = f"showing {value} takes {takes}; " if difference.value else ""
    return f"; with {POWER:.0%} power, {showing}{difference.seeds} seeds show {scale.plain(smallest)}{scale.unit}"

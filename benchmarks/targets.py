"""The targets for a run on all 50,000 reviews on a quiet 2-core machine, and whether they are met."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from imdb_core import modes

ATTENTION_ACCURACY: Final = 0.875
TOTAL_RATIOS: Final = {"attention": 1.0, "blog": 0.8}

# Size of the data set that the targets apply to.
TARGET_REVIEWS: Final = 50_000


def check_targets(script: Mapping[str, Any] | None, pipelines: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compares the measurements with the targets.

    Args:
        script: The script's result; None if it did not run.
        pipelines: The results of `pipeline_run.read_run` by preset.

    Returns:
        JSON for each target: `preset`, `target`, `bound` in words, `measured` (None if unknown), `unit` and whether it
        was `met`.
    """
    return [target for preset, run in pipelines.items() for target in _of_preset(preset, run, script)]


def points_from_script(run: Mapping[str, Any], script: Mapping[str, Any], mode: str) -> float:
    """Returns the accuracy of a mode minus that of the script's last epoch, in percentage points."""
    accuracy = run["selection"]["metrics"][mode]["accuracy"]
    return float(100 * (accuracy - script["modes"][mode]["epochs"][-1]["accuracy"]))


def _of_preset(preset: str, run: Mapping[str, Any], script: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    seconds = run["seconds"]
    transform = next(node["seconds"] for node in run["nodes"] if node["node"] == "Transform")
    if script is not None:
        for name, key, bound in (
            ("total, ratio to the script", "total", TOTAL_RATIOS.get(preset)),
            ("everything but training, ratio to the script", "without_training", 1.2),
        ):
            if bound is not None:
                measured = seconds[key] / script["seconds"][key]
                yield _target(preset, name, f"<= {bound:g}", measured, unit="", met=measured <= bound)
    for name, measured, bound, unit in (
        ("everything but training", seconds["without_training"], 90.0, "s"),
        ("Transform", transform, 40.0, "s"),
        ("start-up", seconds["start_up"], 8.0, "s"),
        ("peak memory", run["peak_gigabytes"], 2.5, "GB"),
    ):
        met = measured is not None and measured < bound
        yield _target(preset, name, f"< {bound:g} {unit}", measured, unit=unit, met=met)
    for mode in modes.MODES:
        if preset == "blog" and script is not None:
            points = points_from_script(run, script, mode)
            name, met = f"accuracy, {mode}, against the script", abs(points) <= 1
            yield _target(preset, name, "within 1 point", points, unit="points", met=met)
        if preset == "attention":
            accuracy = run["selection"]["metrics"][mode]["accuracy"]
            met = accuracy >= ATTENTION_ACCURACY
            yield _target(preset, f"accuracy, {mode}", f">= {ATTENTION_ACCURACY}", accuracy, unit="", met=met)


def _target(preset: str, name: str, bound: str, measured: float | None, *, unit: str, met: bool) -> dict[str, Any]:
    return {"preset": preset, "target": name, "bound": bound, "measured": measured, "unit": unit, "met": met}

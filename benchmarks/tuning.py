"""Renders what a run's Tuner found as Markdown, for docs/results.md: no figure is typed by hand."""

import shlex
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from benchmarks.figures import BenchmarkRecord
from benchmarks.markdown import page, section, versions
from imdb_core import features, modes
from pipeline.history.tuning import trials_table
from pipeline.settings import PipelineConfig, changed_settings, toml_value

_VERSIONS: Final = ("python", "tensorflow", "keras", "tfx")


def markdown(record: BenchmarkRecord) -> str:
    """Renders the search of a run, from its `run.json`."""
    return page(_lines(record))


def _lines(record: BenchmarkRecord) -> Iterator[str]:
    settings, tuning = record["settings"], record["tuning"]
    data = PurePath(settings["data.source"]).name
    # Includes the searched settings: their defaults may change, for instance to the values found here.
    own = {**changed_settings(settings), **{key: settings[key] for key in tuning["best"]}, "data.source": data}
    if settings["preset"] != PipelineConfig().preset:
        own["preset"] = settings["preset"]
    options = " ".join(f"--set {shlex.quote(_assignment(key, value))}" for key, value in own.items())
    title = f"Tuner, {len(tuning['trials'])} trials on {data}"
    yield from section(title, "tfx run create --pipeline pipeline/ \\", f"    {options}")
    counts = {split: sum(labels.values()) for split, labels in record["ingest"]["examples"].items()}
    yield (
        f"- Trained on {counts[features.TRAIN]:,} reviews, scored on the {counts[features.EVAL]:,} of "
        f"`{features.EVAL}`; seed {settings['training.seed']}, mode {settings['tuning.mode']}; run {record['run_id']}."
    )
    yield f"- {versions((name, record['versions'][name]) for name in _VERSIONS)}."
    accuracy = ", ".join(f"{mode} {record['selection']['metrics'][mode]['accuracy']:.4f}" for mode in modes.MODES)
    yield f"- Test accuracy of the Trainers that it fed: {accuracy}."
    yield ""
    yield from trials_table(tuning, settings).markdown()


def _assignment(key: str, value: Any) -> str:
    """Writes an assignment for `--set`, which takes a value that is not TOML as text."""
    return f"{key}={value if isinstance(value, str) else toml_value(value)}"

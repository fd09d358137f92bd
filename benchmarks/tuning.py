"""What a run's Tuner found as Markdown, for docs/results.md: no figure is typed by hand."""

import shlex
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from benchmarks.figures import Record
from benchmarks.results import table_lines
from imdb_core import features, modes
from pipeline.history.tuning import trials_table
from pipeline.settings.changes import changed_settings
from pipeline.settings.config import PipelineConfig
from pipeline.settings.toml import toml_value

_VERSIONS: Final = ("python", "tensorflow", "keras", "tfx")


def markdown(record: Record) -> str:
    """Renders the search of a run.

    Args:
        record: `run.json` of a run with `training.tune = true`.
    """
    return "\n".join(_lines(record)).rstrip("\n") + "\n"


def _lines(record: Record) -> Iterator[str]:
    settings, tuning = record["settings"], record["tuning"]
    data = PurePath(settings["data.source"]).name
    versions = ", ".join(f"{name} {record['versions'][name]}" for name in _VERSIONS)
    yield f"## Tuner, {len(tuning['trials'])} trials on {data}"
    yield ""
    # What was searched too: its defaults may be others some day, such as those that were found.
    own = {**changed_settings(settings), **{key: settings[key] for key in tuning["best"]}, "data.source": data}
    if settings["preset"] != PipelineConfig().preset:
        own["preset"] = settings["preset"]
    yield from ["```sh", "tfx run create --pipeline pipeline/ \\"]
    yield "    " + " ".join(f"--set {shlex.quote(_assignment(key, value))}" for key, value in own.items())
    yield from ["```", ""]
    counts = {split: sum(labels.values()) for split, labels in record["ingest"]["examples"].items()}
    yield (
        f"- Trained on {counts[features.TRAIN]:,} reviews, scored on the {counts[features.EVAL]:,} of "
        f"`{features.EVAL}`; "
        f"seed {settings['training.seed']}, mode {settings['tuning.mode']}; run {record['run_id']}."
    )
    yield f"- {versions}."
    accuracy = ", ".join(f"{mode} {record['selection']['metrics'][mode]['accuracy']:.4f}" for mode in modes.MODES)
    yield f"- Test accuracy of the Trainers that it fed: {accuracy}."
    yield ""
    yield from table_lines(trials_table(tuning, settings))


def _assignment(key: str, value: Any) -> str:
    """As `--set` takes it: what is not TOML is text."""
    return f"{key}={value if isinstance(value, str) else toml_value(value)}"

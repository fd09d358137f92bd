"""Runs one benchmark: the blog's script and the pipeline on the same data, each in its own process."""

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, pipeline_run, targets
from benchmarks.blog_data import SAMPLE, read_reviews, write_cut
from benchmarks.blog_encoding import unknown_share
from imdb_core.errors import RunError, SettingsError
from imdb_core.features import TEST
from imdb_core.settings import DataSettings
from imdb_core.workspace import WORKSPACE_VARIABLE
from pipeline.settings import PRESETS

# One of each sentiment.
_LEAST_REVIEWS: Final = 2


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark compares."""

    data: str  # `sample` or the path of an aclImdb .tar.gz
    presets: Sequence[str]  # of the pipeline, in the order of their runs
    workspace: Path  # new or empty, for everything that the benchmark writes
    script: bool = True  # whether to run the blog's script first
    seed: int = 1  # of the script and the pipeline
    limit: int | None = None  # maximum number of reviews per split; None reads all
    settings: Sequence[str] = ()  # more settings of the pipeline, such as `training.epochs=1`

    def __post_init__(self) -> None:
        unknown = [preset for preset in self.presets if preset not in PRESETS]
        if unknown or not self.presets:
            raise SettingsError(f"presets {','.join(unknown)!r}: expected some of {', '.join(PRESETS)}")
        if self.data != SAMPLE and not Path(self.data).is_file():
            raise SettingsError(f"data {self.data!r}: no such file; expected `{SAMPLE}` or an aclImdb .tar.gz")
        if self.limit is not None and self.limit < _LEAST_REVIEWS:
            raise SettingsError(f"limit {self.limit}: expected 2 at least, one review of each sentiment")
        if self.workspace.exists() and (not self.workspace.is_dir() or any(self.workspace.iterdir())):
            raise SettingsError(
                f"workspace {self.workspace}: not an empty folder; cached results would distort the times"
            )

    @property
    def command(self) -> str:
        """The command that repeats the benchmark on any machine; paths are reduced to file names."""
        options = ["--data", Path(self.data).name, "--presets", ",".join(self.presets), "--seed", str(self.seed)]
        options += [] if self.limit is None else ["--limit", str(self.limit)]
        options += [part for setting in self.settings for part in ("--set", setting)]
        return shlex.join(["python", "-m", "benchmarks", *options, *([] if self.script else ["--skip-script"])])


def run(benchmark: Benchmark) -> dict[str, Any]:
    """Runs the script and the pipelines, one process after the other.

    Returns:
        The record as JSON: `command`, `date`, `seed`, `data` (name and numbers of reviews), `machine`, `load` before
        the start, `script` (None if it was skipped), `pipelines` by preset, `targets`.

    Raises:
        RunError: A process failed.
        SourceError: The data cannot be read.
    """
    record: dict[str, Any] = {
        "command": benchmark.command,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seed": benchmark.seed,
        "machine": machine.describe(),
        "load": machine.load(),
    }
    benchmark.workspace.mkdir(parents=True, exist_ok=True)
    data = benchmark.data if benchmark.data == SAMPLE else str(Path(benchmark.data).resolve())
    if benchmark.limit is not None and data != SAMPLE:
        cut = benchmark.workspace / "cut.tar.gz"
        write_cut(data, cut, benchmark.limit)
        data = str(cut)
    script = _run_script(benchmark, data) if benchmark.script else None
    pipelines = {preset: _run_pipeline(benchmark, data, preset) for preset in benchmark.presets}

    # Reading takes time and memory, so it waits until the last measured process has ended.
    splits = read_reviews(data, benchmark.limit)
    script_words = _script_vocabulary(benchmark).read_text(encoding="utf-8").split() if script else None
    for preset, outcome in pipelines.items():
        words = pipeline_run.read_vocabulary(benchmark.workspace / preset)
        max_tokens = outcome["settings"]["transform.max_tokens"]
        unknown = unknown_share(splits[TEST].texts, words, max_tokens)
        outcome["vocabulary"] = pipeline_run.check_vocabulary(words, script_words, unknown)
    return {
        **record,
        "data": {"name": Path(benchmark.data).name, **{name: len(split.labels) for name, split in splits.items()}},
        "script": script,
        "pipelines": pipelines,
        "targets": targets.check_targets(script, pipelines),
    }


def _run_script(benchmark: Benchmark, data: str) -> dict[str, Any]:
    out = benchmark.workspace / "script" / "result.json"
    out.parent.mkdir()
    command = [sys.executable, "-m", "benchmarks.blog_script", "--data", data, "--seed", str(benchmark.seed)]
    command += ["--out", str(out), "--vocabulary", str(_script_vocabulary(benchmark))]
    command += [] if benchmark.limit is None else ["--limit", str(benchmark.limit)]
    process = run_command(command, {})
    result: dict[str, Any] = json.loads(out.read_text())
    epochs = [epoch for mode in result["modes"].values() for epoch in mode["epochs"]]
    training = sum(epoch["training_seconds"] for epoch in epochs)
    result["seconds"] |= {
        "scoring": sum(epoch["scoring_seconds"] for epoch in epochs),
        "total": process.seconds,
        "training": training,
        "without_training": process.seconds - training,
        "cpu": process.cpu_seconds,
        "cpu_of_others": process.other_cpu_seconds,
    }
    return result


def _script_vocabulary(benchmark: Benchmark) -> Path:
    return benchmark.workspace / "script" / "vocabulary"


def _run_pipeline(benchmark: Benchmark, data: str, preset: str) -> dict[str, Any]:
    settings: dict[str, str | int] = {"preset": preset, "data.source": data, "training.seed": benchmark.seed}
    if benchmark.limit is not None and data == SAMPLE:
        defaults = DataSettings()
        settings["data.sample_train"] = min(defaults.sample_train, benchmark.limit)
        settings["data.sample_test"] = min(defaults.sample_test, benchmark.limit)
    workspace = benchmark.workspace / preset
    # TFX registers pipelines under HOME; this leaves the user's own registration alone.
    home = benchmark.workspace / "home"
    home.mkdir(exist_ok=True)
    command = pipeline_run.command(settings) + [part for setting in benchmark.settings for part in ("--set", setting)]
    process = run_command(command, {WORKSPACE_VARIABLE: str(workspace), "HOME": str(home)})
    return pipeline_run.read_run(workspace, process)


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> machine.MeasuredProcess:
    """Runs a command to its end without the user's settings.

    Raises:
        RunError: The command fails.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("IMDB_")}
    process = machine.run_process(command, {"TF_CPP_MIN_LOG_LEVEL": "3", **inherited, **variables}, pipeline_run.ROOT)
    if process.exit_code:
        took = f"ended with exit code {process.exit_code} after {process.seconds:.0f} s"
        raise RunError(f"{shlex.join(command)} {took}; its output is above")
    return process

"""Writes the files that record a run into its folder: `run.json`, `failure.json` and `tuned.toml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imdb_core.file_names import FAILURE_FILE, RUN_FILE
from imdb_core.files import write_atomically, write_json
from pipeline.history.tuning import TUNED_FILE, tuned_settings
from pipeline.running.finished_run import FinishedRun, common_record
from pipeline.workspace.run_folder import run_folder


def write_record(run: FinishedRun, record: Mapping[str, Any]) -> Path:
    """Writes `run.json`, and `tuned.toml` beside it if the run had a Tuner.

    Args:
        run: A successful run.
        record: Its record, from `collect_record`.

    Returns:
        The path of `run.json`.
    """
    file = run_folder(run.workspace, run.run_id) / RUN_FILE
    write_json(file, record)
    if record["tuning"]:
        write_atomically(file.with_name(TUNED_FILE), tuned_settings(run.settings, record["tuning"]))
    return file


def write_failure(run: FinishedRun, message: str) -> None:
    """Writes `failure.json`, which `imdb-attention runs` and `report` read.

    Args:
        run: A run that failed.
        message: The error message.
    """
    write_json(run_folder(run.workspace, run.run_id) / FAILURE_FILE, {"error": message, **common_record(run)})

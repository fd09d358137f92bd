"""What a person reads when a run has ended, and the same for programs."""

import logging
import shlex
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from components.evaluator import metrics
from imdb_core import features, modes
from imdb_core.file_names import RUN_FILE
from imdb_core.files import write_atomically, write_json
from pipeline.history.tuning import TUNED_FILE, tuned_settings, tuning_sentence
from pipeline.report.build import write_page
from pipeline.running.console import quiet_console
from pipeline.running.record import summarize
from pipeline.running.runner import Run
from pipeline.workspace.metadata_connection import metadata_connection
from pipeline.workspace.run_folder import run_folder

_log = logging.getLogger(__name__)

_EXAMPLE: Final = "Not the masterpiece some call it, but a film I will not forget."

_SHOWN: Final = (
    ("accuracy", metrics.ACCURACY),
    ("AUC", metrics.AUC),
    ("log loss", metrics.LOG_LOSS),
    ("calibration error", metrics.CALIBRATION_ERROR),
)


def report(run: Run, console: Console | None = None) -> None:
    """Writes `reports/RUN/run.json` and the page beside it, and prints the outcome.

    Args:
        run: one that succeeded.
        console: to print to; standard output by default.
    """
    with quiet_console(run.log_file, verbose=False):  # TFMA warns of its own reader
        summary = summarize(run)
    file = run_folder(run.workspace, run.run_id) / RUN_FILE
    write_json(file, summary)
    if summary["tuning"]:
        write_atomically(file.with_name(TUNED_FILE), tuned_settings(run.settings, summary["tuning"]))
    _print(summary, file, _page(run), console or Console(highlight=False))


def _page(run: Run) -> str:
    """Draws the page and says where it is; a run that succeeded does not fail because it cannot be drawn."""
    with quiet_console(run.log_file, verbose=False):
        try:
            connection = metadata_connection(run.settings.config.metadata, run.workspace)
            return str(write_page(connection, run.workspace, run.run_id))
        except Exception as error:
            _log.exception("The page could not be drawn")
            return f"could not be drawn ({type(error).__name__}: {error}); the log is {run.log_file}"


def _print(summary: dict[str, Any], file: Path, page: str, console: Console) -> None:
    selection = summary["selection"]
    table = Table("on the test split", box=None, pad_edge=False)
    for title, _ in _SHOWN:
        table.add_column(title, justify="right")
    table.add_column("parameters", justify="right")
    for mode in modes.MODES:
        measured = [f"{selection['metrics'][mode][name]:.4f}" for _, name in _SHOWN]
        name = f"{mode}{' (winner)' if mode == selection['winner'] else ''}"
        table.add_row(name, *measured, f"{selection['parameters'][mode]:,}")
    if console.is_terminal:
        console.print()
    console.print(table)
    console.print(_data_line(summary["ingest"]), soft_wrap=True)
    if summary["tuning"]:
        console.print(tuning_sentence(summary["tuning"]), soft_wrap=True)
        console.print(f"To use these settings again: --config {file.with_name(TUNED_FILE)}", soft_wrap=True)
    console.print(f"Winner: {selection['winner']}: {selection['reason']}.", soft_wrap=True)
    if summary["serving_check"]["passed"]:
        console.print(f"Served: {summary['serving_check']['reason']}.", soft_wrap=True)
    console.print(_pushed_line(summary), soft_wrap=True)
    executed = summary["executed"]
    work = f"{len(executed)} nodes executed" if executed else "no node executed, all results were cached"
    console.print(f"{summary['seconds']:.0f} s, {work}. Record: {file}", soft_wrap=True)
    console.print(f"Report: {page}", soft_wrap=True, markup=False)
    console.print("Next:")
    for command in next_commands(summary):
        console.print(f"  {command}", soft_wrap=True)


def _pushed_line(summary: dict[str, Any]) -> str:
    pushed, check = summary["pushed"], summary["serving_check"]
    if pushed["pushed"] and Path(pushed["path"]).is_dir():
        return f"Pushed: {pushed['path']}"
    if pushed["pushed"]:
        return (
            f"Not there any more: {pushed['path']}, pushed by an earlier run; the model itself is still under "
            "artifacts/ModeSelector/model in the workspace"
        )
    reasons = [*summary["champion"]["reasons"]]
    if not check["passed"]:
        reasons.append(f"the serving check failed: {check['reason']}")
    return f"Not pushed: {'; '.join(reasons) or 'the model was not blessed'}."


def _data_line(ingest: dict[str, Any]) -> str:
    sizes = ", ".join(f"{sum(by_label.values()):,} {split}" for split, by_label in ingest["examples"].items())
    rejected = ", ".join(f"{count} {reason}" for reason, count in ingest["rejected"].items())
    duplicates = ingest["duplicates"]
    return (
        f"Data: {sizes} reviews; rows rejected: {rejected or 'none'}; duplicates: {duplicates['training']} in the "
        f"training data, {duplicates[features.TEST]} in test; texts in both: {ingest['leaks']}; "
        f"dropped: {sum(ingest['dropped'].values())}."
    )


def next_commands(summary: dict[str, Any]) -> list[str]:
    """The three commands that a person may want to type now.

    Args:
        summary: from `summarize`.
    """
    real_data = "tfx run create --pipeline pipeline/ --set data.source=imdb"
    if summary["pushed"]["path"] is None:
        return [
            "imdb-attention config show",
            "tfx run create --pipeline pipeline/ --set training.epochs=8",
            real_data,
        ]
    return ["imdb-attention serve", f"imdb-attention explain {shlex.quote(_EXAMPLE)}", real_data]

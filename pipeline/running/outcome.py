"""Records a successful run and prints its outcome."""

import logging
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from components.evaluator import metrics
from imdb_core import features, modes
from imdb_core.provenance import provenance, sample_notice
from pipeline.history.tuning import TUNED_FILE, tuning_sentence
from pipeline.report.page import write_page
from pipeline.running.console import quiet_console
from pipeline.running.finished_run import FinishedRun
from pipeline.running.record import collect_record, write_record
from pipeline.workspace.metadata_connection import metadata_connection

_log = logging.getLogger(__name__)

_EXAMPLE: Final = "Not the masterpiece some call it, but a film I will not forget."

_SHOWN_FILES: Final = 3

_SHOWN: Final = (
    ("accuracy", metrics.ACCURACY),
    ("AUC", metrics.AUC),
    ("log loss", metrics.LOG_LOSS),
    ("calibration error", metrics.CALIBRATION_ERROR),
)


def report(run: FinishedRun) -> None:
    """Writes the record and the page of a successful run into `reports/RUN/`, and prints the outcome."""
    with quiet_console(run.log_file, verbose=False):  # TFMA warns about its own reader
        record = collect_record(run)
    file = write_record(run, record)
    print_outcome(record, file, draw_page(run), Console(highlight=False))


def draw_page(run: FinishedRun) -> str:
    """Draws the page of a run and returns its path.

    A successful run does not fail because its page cannot be drawn: the reason is returned instead.
    """
    with quiet_console(run.log_file, verbose=False):
        try:
            connection = metadata_connection(run.settings.config.metadata, run.workspace)
            return str(write_page(connection, run.workspace, run.run_id))
        except Exception as error:
            _log.exception("The page could not be drawn")
            return f"could not be drawn ({type(error).__name__}: {error}); the log is {run.log_file}"


def print_outcome(record: Mapping[str, Any], file: Path, page: str, console: Console) -> None:
    """Prints the outcome of a run on a few lines.

    Args:
        record: From `collect_record`.
        file: The path of `run.json`.
        page: The path of the page, or the reason why there is none.
        console: The console to print to.
    """
    selection = record["selection"]
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
    for line in _lines(record, file, page):
        console.print(line, soft_wrap=True, markup=False)


def _lines(record: Mapping[str, Any], file: Path, page: str) -> Iterator[str]:
    yield _data_line(record["ingest"])
    if notice := sample_notice(provenance(record["settings"]["data.source"])):
        yield f"Note: the models were {notice}."
    if line := " ".join(_source_sentences(record["ingest"])):
        yield line
    if record["tuning"]:
        yield tuning_sentence(record["tuning"])
        yield f"To use these settings again: --config {file.with_name(TUNED_FILE)}"
    yield f"Winner: {record['selection']['winner']}: {record['selection']['reason']}."
    if record["serving_check"]["passed"]:
        yield f"Served: {record['serving_check']['reason']}."
    yield _pushed_line(record)
    executed, nodes = len(record["executed"]), len(record["nodes"])
    work = f"{executed} of {nodes} nodes executed" if executed else "no node executed, all results were cached"
    if executed == nodes - 1:  # the Resolver only looks something up
        work = f"all {nodes} nodes executed"
    yield f"{record['seconds']:.0f} s, {work}. Record: {file}"
    yield f"Report: {page}"
    yield "Next:"
    yield from (f"  {command}" for command in next_commands(record))


def _pushed_line(record: Mapping[str, Any]) -> str:
    pushed, check = record["pushed"], record["serving_check"]
    if pushed["pushed"] and Path(pushed["path"]).is_dir():
        return f"Pushed: {pushed['path']}"
    if pushed["pushed"]:
        return (
            f"Removed since an earlier run pushed it: {pushed['path']}; the model itself is still under "
            "artifacts/ModeSelector/model in the workspace"
        )
    reasons = [*record["champion"]["reasons"]]
    if not check["passed"]:
        reasons.append(f"the serving check failed: {check['reason']}")
    return f"Not pushed: {'; '.join(reasons) or 'the model was not blessed'}."


def _data_line(ingest: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{sum(by_label.values()):,} {split}" for split, by_label in ingest["examples"].items())
    rejected = ", ".join(f"{count} {reason}" for reason, count in ingest["rejected"].items())
    duplicates = ingest["duplicates"]
    return (
        f"Data: {sizes} reviews; rows rejected: {rejected or 'none'}; duplicates: {duplicates['training']} in the "
        f"training data, {duplicates[features.TEST]} in test; texts in both: {ingest['leaks']}; "
        f"texts with both labels: {ingest['contradictions']}; dropped: {sum(ingest['dropped'].values())}."
    )


def _source_sentences(ingest: Mapping[str, Any]) -> Iterator[str]:
    """Says what was recognised in the files, and what was left out."""
    formats = Counter(one["format"] for one in ingest["found"])
    if formats:
        shown = [f"{count:,} × {what}" if count > 1 else what for what, count in formats.most_common(_SHOWN_FILES)]
        more = f" and {len(formats) - len(shown)} more kinds" if len(formats) > len(shown) else ""
        yield f"Read as: {' | '.join(shown)}{more}."
    left_out = [_left_out(reason, files) for reason, files in ingest["left_out"].items()]
    left_out += [f"{count:,} rows of {what}" for what, count in ingest["ignored"].items()]
    left_out += [f"{ingest['unlabelled_rows']:,} rows without a label"] * bool(ingest["unlabelled_rows"])
    if left_out:
        yield f"Left out: {'; '.join(left_out)}."
    if ingest["unusable"]:
        values = ", ".join(f"{count:,} {what}s" for what, count in ingest["unusable"].items())
        yield f"Not usable and taken as unknown: {values}."


def _left_out(reason: str, files: Mapping[str, int]) -> str:
    names = [name.rpartition("!")[2] for name in files]
    count = sum(files.values())
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return f"{count:,} file{'s' * (count != 1)} ({reason}: {', '.join(names[:_SHOWN_FILES])}{more})"


def next_commands(record: Mapping[str, Any]) -> list[str]:
    """Returns the three commands that are useful after the run of a record."""
    real_data = "tfx run create --pipeline pipeline/ --set data.source=imdb"
    if record["pushed"]["path"] is None:
        return ["imdb-attention config show", "tfx run create --pipeline pipeline/ --set training.epochs=8", real_data]
    return ["imdb-attention serve", f"imdb-attention explain {shlex.quote(_EXAMPLE)}", real_data]

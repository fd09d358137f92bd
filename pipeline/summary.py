"""What a person reads when a run has ended, and the same for programs."""

import json
import logging
import shlex
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from tfx.types import Artifact

from components import comparison, evaluation, metrics, reviews, selector, serving_check
from components.settings import EvaluationSettings
from pipeline.config import flatten
from pipeline.graph import LAST_BLESSED, SERVING_CHECK
from pipeline.metadata_connection import metadata_connection
from pipeline.progress import quiet_console
from pipeline.report.build import write_page
from pipeline.run_folder import RUN_FILE, run_folder, write_whole
from pipeline.run_states import COMPLETE
from pipeline.runs import Run, node_records
from pipeline.tuning import TUNER
from pipeline.tuning_outcome import TUNED_FILE, read_tuning, tuned_settings, tuning_sentence
from pipeline.versions import package_versions

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
    write_whole(file, json.dumps(summary, indent=2))
    if summary["tuning"]:
        write_whole(file.with_name(TUNED_FILE), tuned_settings(run.settings, summary["tuning"]))
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


def summarize(run: Run) -> dict[str, Any]:
    """Collects the outcome of a run.

    Args:
        run: one that succeeded.

    Returns:
        JSON: run id, settings, nodes with state, seconds and peak memory and what each waits for, versions of
        packages, the ingest's report, what the Tuner found if it is on, the selection with both modes' metrics, the
        champion's evaluation, what the server said, and what was pushed.
    """
    model = _only(run, "ModeSelector", "model")
    examples = _only(run, "ImdbExampleGen", "examples")
    return {
        "run_id": run.run_id,
        "seconds": round(run.seconds, 1),
        "workspace": str(run.workspace),
        "log": str(run.log_file),
        "settings": flatten(run.settings.config),
        "nodes": node_records(run),
        "upstream": run.upstream,
        "versions": package_versions(),
        # A Resolver only looks things up, and does so each time.
        "executed": [name for name, state in run.nodes.items() if state.state == COMPLETE and name != LAST_BLESSED],
        "ingest": json.loads((Path(examples.uri) / "ingest_report.json").read_text()),
        "tuning": _tuning(run),
        "selection": json.loads((Path(model.uri) / selector.SELECTION_FILE).read_text()),
        "champion": _champion(run),
        "serving_check": _serving_check(run),
        "pushed": _pushed(run),
    }


def _tuning(run: Run) -> dict[str, Any] | None:
    if TUNER not in run.nodes:
        return None
    best, results = (_only(run, TUNER, output).uri for output in ("best_hyperparameters", "tuner_results"))
    return read_tuning(run.settings, best, results)


def _champion(run: Run) -> dict[str, Any]:
    blessing = _only(run, "Evaluator.champion", "blessing")
    uri = _only(run, "Evaluator.champion", "evaluation").uri
    candidate = selector.overall_metrics(uri, comparison.CANDIDATE)
    baseline = selector.overall_metrics(uri, comparison.BASELINE) if metrics.FLIP_RATE in candidate else None
    return {
        "blessed": blessing.get_int_custom_property("blessed") == 1,
        "accuracy": candidate[metrics.ACCURACY],
        "baseline_accuracy": baseline[metrics.ACCURACY] if baseline else None,
        "reasons": _shortfalls(candidate, baseline, run.settings.config.evaluation),
    }


def _shortfalls(
    candidate: dict[str, float], baseline: dict[str, float] | None, settings: EvaluationSettings
) -> list[str]:
    """Says which thresholds of the champion's Evaluator were missed, and by how much."""
    reasons = []
    for name, value, bound, sign in (
        ("accuracy", candidate[metrics.ACCURACY], settings.min_accuracy, 1),
        ("AUC", candidate[metrics.AUC], settings.min_auc, 1),
        ("log loss", candidate[metrics.LOG_LOSS], settings.max_log_loss, -1),
    ):
        if sign * value < sign * bound:
            comparison = "at least" if sign > 0 else "at most"
            reasons.append(f"{name} {value:.4f}, required {comparison} {bound:.4f}: missed by {abs(value - bound):.4f}")
    if baseline is not None:
        drop = baseline[metrics.ACCURACY] - candidate[metrics.ACCURACY]
        if drop > settings.max_accuracy_drop + evaluation.ROUNDING:
            reasons.append(
                f"accuracy {candidate[metrics.ACCURACY]:.4f} is {100 * drop:.2f} points below the last blessed model's "
                f"{baseline[metrics.ACCURACY]:.4f}; allowed are {100 * settings.max_accuracy_drop:.2f}"
            )
    return reasons


def _serving_check(run: Run) -> dict[str, Any]:
    blessing = _only(run, SERVING_CHECK, "blessing")
    passed = blessing.get_int_custom_property("blessed") == 1
    # TFX's InfraValidator leaves no reason.
    reason = blessing.get_string_custom_property(serving_check.REASON) or "see the log"
    outcome = Path(blessing.uri) / serving_check.OUTCOME_FILE
    return {
        "passed": passed,
        "reason": reason,
        "outcome": json.loads(outcome.read_text()) if outcome.exists() else None,
    }


def _pushed(run: Run) -> dict[str, Any]:
    pushed = _only(run, "Pusher", "pushed_model")
    if pushed.get_int_custom_property("pushed") != 1:
        return {"pushed": False, "path": None, "version": None}
    return {
        "pushed": True,
        "path": pushed.get_string_custom_property("pushed_destination"),
        "version": pushed.get_string_custom_property("pushed_version"),
    }


def _only(run: Run, node: str, key: str) -> Artifact:
    (artifact,) = run.nodes[node].outputs[key]
    return artifact


def _print(summary: dict[str, Any], file: Path, page: str, console: Console) -> None:
    selection = summary["selection"]
    table = Table("on the test split", box=None, pad_edge=False)
    for title, _ in _SHOWN:
        table.add_column(title, justify="right")
    table.add_column("parameters", justify="right")
    for mode in reviews.MODES:
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
        f"training data, {duplicates[reviews.TEST]} in test; texts in both: {ingest['leaks']}; "
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

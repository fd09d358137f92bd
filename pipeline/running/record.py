"""Collects the record of a successful run from ML Metadata and the artifacts of its nodes, and writes it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.artifacts import REASON
from components.champion.component import LAST_BLESSED
from components.evaluator import eval_config, metrics
from components.evaluator.results import overall_metrics
from components.serving_check.component import SERVING_CHECK
from components.tuner.component import TUNER
from imdb_core import file_names, modes
from imdb_core.files import write_atomically, write_json
from imdb_core.settings import EvaluationSettings
from pipeline.history.runs import COMPLETE, PastArtifact, run_folder
from pipeline.history.tuning import TUNED_FILE, read_tuning, tuned_settings
from pipeline.running.finished_run import FinishedRun, common_record
from pipeline.workspace.run_names import RUN_FILE


def collect_record(run: FinishedRun) -> dict[str, Any]:
    """Collects the record of a successful run, the content of `run.json`.

    Returns:
        JSON: what `common_record` collects, the workspace, the executed nodes, the report of the ingest, the outcome of
        the Tuner (None without one), the selection with the metrics of both modes, the evaluation of the champion, the
        outcome of the serving check, and what was pushed.
    """
    model = _only(run, "ModeSelector", "model")
    examples = _only(run, "ImdbExampleGen", "examples")
    return {
        **common_record(run),
        "workspace": str(run.workspace),
        # The Resolver is executed in every run, but only looks something up.
        "executed": [name for name, node in run.nodes.items() if node.state == COMPLETE and name != LAST_BLESSED],
        "ingest": json.loads((Path(examples.uri) / file_names.REPORT).read_text()),
        "tuning": _tuning(run),
        "selection": json.loads((Path(model.uri) / file_names.SELECTION_FILE).read_text()),
        "champion": _champion(run),
        "serving_check": _serving_check(run),
        "pushed": _pushed(run),
    }


def write_record(run: FinishedRun, record: Mapping[str, Any]) -> Path:
    """Writes `run.json`, and `tuned.toml` beside it if the run had a Tuner; returns the path of `run.json`."""
    file = run_folder(run.workspace, run.run_id) / RUN_FILE
    write_json(file, record)
    if record["tuning"]:
        write_atomically(file.with_name(TUNED_FILE), tuned_settings(run.settings, record["tuning"]))
    return file


def shortfalls(
    candidate: dict[str, float], baseline: dict[str, float] | None, settings: EvaluationSettings
) -> list[str]:
    """Lists the thresholds of the champion's Evaluator that were missed, and by how much.

    Args:
        candidate: The champion's metrics on `test`, by name.
        baseline: The last blessed model's metrics; None if no model was blessed before.
        settings: The thresholds.
    """
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
        if drop > settings.max_accuracy_drop + eval_config.ROUNDING:
            reasons.append(
                f"accuracy {candidate[metrics.ACCURACY]:.4f} is {100 * drop:.2f} points below the last blessed model's "
                f"{baseline[metrics.ACCURACY]:.4f}; allowed are {100 * settings.max_accuracy_drop:.2f}"
            )
    return reasons


def _tuning(run: FinishedRun) -> dict[str, Any] | None:
    if TUNER not in run.nodes:
        return None
    best, results = (_only(run, TUNER, output).uri for output in ("best_hyperparameters", "tuner_results"))
    return read_tuning(run.settings, best, results)


def _champion(run: FinishedRun) -> dict[str, Any]:
    blessing = _only(run, "Evaluator.champion", "blessing")
    uri = _only(run, "Evaluator.champion", "evaluation").uri
    candidate = overall_metrics(uri, modes.CANDIDATE)
    baseline = overall_metrics(uri, modes.BASELINE) if metrics.FLIP_RATE in candidate else None
    return {
        "blessed": blessing.properties.get("blessed") == 1,
        "accuracy": candidate[metrics.ACCURACY],
        "baseline_accuracy": baseline[metrics.ACCURACY] if baseline else None,
        "reasons": shortfalls(candidate, baseline, run.settings.config.evaluation),
    }


def _serving_check(run: FinishedRun) -> dict[str, Any]:
    blessing = _only(run, SERVING_CHECK, "blessing")
    outcome = Path(blessing.uri) / file_names.OUTCOME_FILE
    return {
        "passed": blessing.properties.get("blessed") == 1,
        # TFX's InfraValidator gives no reason.
        "reason": blessing.properties.get(REASON) or "see the log",
        "outcome": json.loads(outcome.read_text()) if outcome.exists() else None,
    }


def _pushed(run: FinishedRun) -> dict[str, Any]:
    pushed = _only(run, "Pusher", "pushed_model")
    if pushed.properties.get("pushed") != 1:
        return {"pushed": False, "path": None, "version": None}
    return {
        "pushed": True,
        "path": pushed.properties["pushed_destination"],
        "version": pushed.properties["pushed_version"],
    }


def _only(run: FinishedRun, node: str, key: str) -> PastArtifact:
    (artifact,) = run.nodes[node].outputs[key]
    return artifact

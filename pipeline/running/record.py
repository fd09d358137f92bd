"""Collects what a run did, for `run.json` and for people."""

import json
from pathlib import Path
from typing import Any

from tfx.types import Artifact

from components.evaluator import eval_config, metrics
from components.evaluator.results import overall_metrics
from components.serving_check import component
from imdb_core import file_names, modes
from imdb_core.settings import EvaluationSettings
from pipeline.graph.main import LAST_BLESSED, SERVING_CHECK
from pipeline.graph.nodes import TUNER
from pipeline.history.run_states import COMPLETE
from pipeline.history.tuning import read_tuning
from pipeline.running.runner import Run, node_records
from pipeline.settings.config import flatten
from pipeline.workspace.package_versions import package_versions


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
        "selection": json.loads((Path(model.uri) / file_names.SELECTION_FILE).read_text()),
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
    candidate = overall_metrics(uri, modes.CANDIDATE)
    baseline = overall_metrics(uri, modes.BASELINE) if metrics.FLIP_RATE in candidate else None
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
        if drop > settings.max_accuracy_drop + eval_config.ROUNDING:
            reasons.append(
                f"accuracy {candidate[metrics.ACCURACY]:.4f} is {100 * drop:.2f} points below the last blessed model's "
                f"{baseline[metrics.ACCURACY]:.4f}; allowed are {100 * settings.max_accuracy_drop:.2f}"
            )
    return reasons


def _serving_check(run: Run) -> dict[str, Any]:
    blessing = _only(run, SERVING_CHECK, "blessing")
    passed = blessing.get_int_custom_property("blessed") == 1
    # TFX's InfraValidator leaves no reason.
    reason = blessing.get_string_custom_property(component.REASON) or "see the log"
    outcome = Path(blessing.uri) / file_names.OUTCOME_FILE
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

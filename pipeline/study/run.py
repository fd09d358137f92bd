"""Runs a study: trains both modes under each preset with several seeds on the same data."""

import json
import os
import platform
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from ml_metadata.proto import metadata_store_pb2

from components.evaluator.metrics import FLIP_RATE, paired_metrics
from imdb_core import features, modes
from imdb_core.file_names import HISTORY_FILE
from imdb_core.packages import FRAMEWORKS, package_versions
from imdb_core.stats.paired import PairedOutcomes
from pipeline.graph.study import create_study, seed_predictions_id, seed_trainer_id
from pipeline.history.runs import COMPLETE, PastArtifact
from pipeline.running.finished_run import FinishedRun
from pipeline.running.live_view import RUN_LINES
from pipeline.running.runner import CheckedRunner
from pipeline.settings import Settings, flatten
from pipeline.study import verdicts
from pipeline.study.plan import Study
from pipeline.study.predictions import PresetPredictions, check_same_reviews, read_preset_predictions
from pipeline.study.progress import StudyProgress
from pipeline.workspace.metadata_connection import metadata_connection
from pipeline.workspace.places import prepare_places
from pipeline.workspace.store import WorkspaceStore

RECORD_FILE: Final = "study.json"

# Lines of plain output per training: its outcome, the remaining time, and some progress.
_TRAINING_LINES: Final = 6


def run_study(study: Study, workspace: Path, *, verbose: bool = False) -> dict[str, Any]:
    """Runs all trainings that are not cached, one preset after the other, and compares them.

    Args:
        study: The result of `plan`.
        workspace: The workspace's absolute path; it is created if missing.
        verbose: Whether to show the logs of all libraries.

    Returns:
        JSON: `name`, `command`, `date`, `seeds`, `confidence`, `test_reviews`, `seconds`, `workspace`, `python`,
        `versions`; `presets` by name, with their `settings`, `executed` nodes, `log`, `trainings`, `pairs` by seed,
        `spread` by mode and metric, and `modes`, the comparison of the modes; `between`, the comparison of two presets
        by mode.

    Raises:
        ReviewPipelineError: A node did not succeed.
    """
    started = time.monotonic()
    now = datetime.now(timezone.utc)
    presets: dict[str, dict[str, Any]] = {}
    predictions: dict[str, PresetPredictions] = {}
    for name, settings in study.settings.items():
        run = _run_preset(name, settings, study.seeds, workspace, verbose=verbose)
        presets[name], predictions[name] = _outcome(run, study.seeds)
    check_same_reviews(predictions)
    values = {name: of_preset.values() for name, of_preset in predictions.items()}
    confidence = next(iter(study.settings.values())).config.evaluation.confidence
    for name, outcome in presets.items():
        outcome["spread"] = {mode: verdicts.spreads(values[name][mode]) for mode in modes.MODES}
        outcome["modes"] = verdicts.compare_modes(values[name], confidence)
    return {
        "name": f"study-{now:%Y%m%d-%H%M%S}-{os.getpid()}",
        "command": study.command,
        "date": now.isoformat(timespec="seconds"),
        "seeds": list(study.seeds),
        "confidence": confidence,
        "test_reviews": len(next(iter(predictions.values())).ids),
        "seconds": round(time.monotonic() - started, 1),
        "workspace": str(workspace),
        "python": platform.python_version(),
        "versions": package_versions(FRAMEWORKS),
        "presets": presets,
        "between": {
            mode: verdicts.compare_presets({name: values[name][mode] for name in presets}, confidence)
            for mode in (modes.MODES if len(presets) > 1 else ())
        },
    }


def _run_preset(name: str, settings: Settings, seeds: Sequence[int], workspace: Path, *, verbose: bool) -> FinishedRun:
    places = prepare_places(settings.config, workspace)
    connection = metadata_connection(settings.config.metadata, workspace)
    pipeline = create_study(settings.config, seeds, places, connection)
    trainers = [seed_trainer_id(mode, seed) for seed in seeds for mode in modes.MODES]
    runner = CheckedRunner(
        settings,
        workspace,
        verbose=verbose,
        max_lines=RUN_LINES + _TRAINING_LINES * len(trainers),
        on_node_end=StudyProgress(name, trainers),
    )
    print(f"Preset {name}: {len(trainers)} trainings", flush=True)
    runner.run(pipeline)
    if runner.outcome is None:
        raise TypeError("TFX's command line has replaced LocalDagRunner.run; start studies with `imdb-attention`")
    return runner.outcome


def _outcome(run: FinishedRun, seeds: Sequence[int]) -> tuple[dict[str, Any], PresetPredictions]:
    predictions = read_preset_predictions(
        [run.nodes[seed_predictions_id(seed)].outputs["predictions"][0].split_folder(features.TEST) for seed in seeds]
    )
    store = WorkspaceStore(metadata_connection(run.settings.config.metadata, run.workspace))
    values = predictions.values()
    # Cached trainings have no peak.
    peaks = {usage.node: round(usage.peak_megabytes) for usage in run.usages if not usage.cached}
    trainings = []
    pairs = {}
    for row, seed in enumerate(seeds):
        for mode in modes.MODES:
            outputs = run.nodes[seed_trainer_id(mode, seed)].outputs
            (model,), (logs,) = outputs["model"], outputs["model_run"]
            history = json.loads((Path(logs.uri) / HISTORY_FILE).read_text())
            trainings.append(
                {
                    "mode": mode,
                    "seed": seed,
                    **{name: float(by_seed[row].mean()) for name, by_seed in values[mode].items()},
                    "epochs": len(next(iter(history.values()))),
                    "seconds": _training_seconds(store, model),
                    "peak_megabytes": peaks.get(seed_trainer_id(mode, seed)),
                    "model": model.uri,
                }
            )
        counts = paired_metrics(predictions.labels, *(predictions.positive[mode][row] for mode in modes.MODES))
        outcomes = PairedOutcomes(*(round(value) for name, value in counts.items() if name != FLIP_RATE))
        pairs[str(seed)] = {
            "accuracy_difference": outcomes.accuracy_difference,
            "flip_rate": outcomes.flip_rate,
            "mcnemar_p": outcomes.mcnemar_p(),
        }
    executed = [name for name, node in run.nodes.items() if node.state == COMPLETE]
    outcome = {"settings": flatten(run.settings.config), "executed": executed, "log": str(run.log_file)}
    return {**outcome, "trainings": trainings, "pairs": pairs}, predictions


def _training_seconds(store: WorkspaceStore, model: PastArtifact) -> float:
    """Returns how long the execution that made a model took, whichever run that was in."""
    events = store.get_events_by_artifact_ids([model.id])
    # A cached execution outputs the model again, under a higher id.
    maker = min(event.execution_id for event in events if event.type == metadata_store_pb2.Event.OUTPUT)
    (execution,) = store.get_executions_by_id([maker])
    milliseconds: int = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return round(milliseconds / 1000, 1)

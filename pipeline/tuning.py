"""The Tuner as a node, and what a person keeps of it: a settings file with the best values."""

import json
from pathlib import Path
from typing import Any, Final

from tfx.components import Transform, Tuner
from tfx.proto import trainer_pb2
from tfx.types import Artifact

from components import reviews
from components.code_digest import code_digest
from pipeline.config import PipelineConfig, Settings, flatten
from pipeline.settings_file import toml_file

TUNER: Final = "Tuner"
TUNED_FILE: Final = "tuned.toml"


def search_settings(config: PipelineConfig, transform: Transform, checkpoints: Path) -> Tuner:
    """Adds TFX's Tuner: what it finds is its output `best_hyperparameters`.

    Args:
        config: validated settings.
        transform: whose examples it trains and scores on; never `test`.
        checkpoints: of an interrupted search.
    """
    return Tuner(
        tuner_fn="components.tuning.tuner_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=[reviews.TRAIN]),
        eval_args=trainer_pb2.EvalArgs(splits=[reviews.EVAL]),
        custom_config={
            "model": config.model.model_dump(mode="json"),
            "training": fitting_settings(config),
            "transform": config.transform.model_dump(mode="json"),
            "tuning": config.tuning.model_dump(mode="json"),
            "code_digest": code_digest("components.tuning"),
            "checkpoint_root": str(checkpoints),
        },
    ).with_id(TUNER)


def fitting_settings(config: PipelineConfig) -> dict[str, Any]:
    """Dumps the section `training` without the switch of the Tuner, so that found and given values count the same."""
    return config.training.model_dump(mode="json", exclude={"tune"})


def read_tuning(settings: Settings, best: Artifact, results: Artifact) -> dict[str, Any]:
    """Collects the outcome of a search.

    Args:
        settings: of the run.
        best: output `best_hyperparameters` of the Tuner.
        results: output `tuner_results`.

    Returns:
        JSON: `trials`, one dict for each that succeeded with its number, `eval_loss` and values; the `best` values by
        `section.key` and their `eval_loss`; what of them `changed`, as old and new value; and the `current_eval_loss`
        of the values that the run was started with, None if their training broke down.
    """
    trials = [
        {
            "trial": int(row["trial_id"]) + 1,
            "eval_loss": row["score"],
            "values": {key: value for key, value in row.items() if key not in ("trial_id", "score")},
        }
        for row in json.loads((Path(results.uri) / "tuner_results.json").read_text())
    ]
    values = json.loads((Path(best.uri) / "best_hyperparameters.txt").read_text())["values"]
    given = flatten(settings.config)
    return {
        "trials": trials,
        "best": values,
        "eval_loss": trials[0]["eval_loss"],
        "current_eval_loss": next((trial["eval_loss"] for trial in trials if trial["trial"] == 1), None),
        "changed": {key: [given[key], value] for key, value in values.items() if value != given[key]},
    }


def tuned_settings(settings: Settings, tuning: dict[str, Any]) -> str:
    """Writes a settings file for runs that take over what the Tuner found.

    Args:
        settings: of the tuned run.
        tuning: from `read_tuning`.

    Returns:
        TOML: all that was set for the run, with the best values in place of its own and without `training.tune`.
    """
    kept = {
        key: tuning["best"].get(key, value)
        for key, value in flatten(settings.config).items()
        if key in tuning["best"] or settings.origins[key] not in ("default", f"preset {settings.config.preset}")
    }
    kept.pop("training.tune")
    return toml_file(kept, "Settings of a run, with the values that its Tuner found: use them with --config.")


def tuning_lines(tuning: dict[str, Any], file: Path) -> list[str]:
    """Says what was found, in two lines.

    Args:
        tuning: from `read_tuning`.
        file: of `tuned_settings`.
    """
    changes = ", ".join(f"{key} {new} (was {old})" for key, (old, new) in tuning["changed"].items())
    if not changes:
        found = "none improved the settings of this run"
    elif tuning["current_eval_loss"] is None:
        found = f"training breaks down with the settings of this run, but not with {changes}"
    else:
        found = f"instead of {tuning['current_eval_loss']:.4f}, with {changes}"
    return [
        f"Tuned: eval loss {tuning['eval_loss']:.4f}, the best of {len(tuning['trials'])} trials; {found}.",
        f"To use these settings again: --config {file}",
    ]

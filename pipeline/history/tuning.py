"""Reads what the Tuner found: its trials, and a settings file with the best values."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from imdb_core.hyperparameters import in_short
from pipeline.settings import Settings, flatten, toml_file
from pipeline.text_table import TextTable

TUNED_FILE: Final = "tuned.toml"


def read_tuning(settings: Settings, best: str, results: str) -> dict[str, Any]:
    """Collects the outcome of a search.

    Args:
        settings: The settings of the run.
        best: Folder of the Tuner's output `best_hyperparameters`.
        results: Folder of the Tuner's output `tuner_results`.

    Returns:
        JSON: `trials`, each successful one with its number, `eval_loss` and values; the `best` values by `section.key`
        and their `eval_loss`; the values that `changed`, as pairs of old and new value; and `current_eval_loss`, that
        of the run's own values, None if their training failed.
    """
    trials = [
        {
            "trial": int(row["trial_id"]) + 1,
            "eval_loss": row["score"],
            "values": {key: value for key, value in row.items() if key not in ("trial_id", "score")},
        }
        for row in json.loads((Path(results) / "tuner_results.json").read_text())
    ]
    values = json.loads((Path(best) / "best_hyperparameters.txt").read_text())["values"]
    given = flatten(settings.config)
    return {
        "trials": trials,
        "best": values,
        "eval_loss": trials[0]["eval_loss"],
        "current_eval_loss": next((trial["eval_loss"] for trial in trials if trial["trial"] == 1), None),
        "changed": {key: [given[key], value] for key, value in values.items() if value != given[key]},
    }


def tuned_settings(settings: Settings, tuning: dict[str, Any]) -> str:
    """Returns a settings file, in TOML, for runs that use the best values.

    It has all settings that the run did not take from its preset or the defaults, without `training.tune`, and the best
    values in place of the run's own.

    Args:
        settings: The settings of the tuned run.
        tuning: The result of `read_tuning`.
    """
    kept = {
        key: tuning["best"].get(key, value)
        for key, value in flatten(settings.config).items()
        if key in tuning["best"] or settings.origins[key] not in ("default", f"preset {settings.config.preset}")
    }
    kept.pop("training.tune")
    return toml_file(kept, "Settings of a run, with the values that its Tuner found: use them with --config.")


def tuning_sentence(tuning: Mapping[str, Any]) -> str:
    """Sums up a search, from the result of `read_tuning`, in one sentence."""
    changes = ", ".join(f"{key} {new} (was {old})" for key, (old, new) in tuning["changed"].items())
    if not changes:
        found = "none improved the settings of this run"
    elif tuning["current_eval_loss"] is None:
        found = f"training breaks down with the settings of this run, but not with {changes}"
    else:
        found = f"instead of {tuning['current_eval_loss']:.4f}, with {changes}"
    return f"Tuned: eval loss {tuning['eval_loss']:.4f}, the best of {len(tuning['trials'])} trials; {found}."


def trials_table(tuning: Mapping[str, Any], settings: Mapping[str, Any]) -> TextTable:
    """Lists the trials in their order, with the values that differ from the settings of the tuned run."""
    given = {key: settings[key] for key in tuning["best"]}
    rows = [
        [
            f"{trial['trial']}{' (best)' if trial['values'] == tuning['best'] else ''}",
            f"{trial['eval_loss']:.4f}",
            *("" if trial["values"][key] == value else in_short(trial["values"][key]) for key, value in given.items()),
        ]
        for trial in sorted(tuning["trials"], key=lambda trial: int(trial["trial"]))
    ]
    now = ["settings of the run", "", *map(in_short, given.values())]
    columns = ["trial", "eval log loss", *(key.partition(".")[2].replace("_", " ") for key in given)]
    return TextTable("Trials, and what differs from the settings of the run", columns, [now, *rows])

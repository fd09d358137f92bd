"""What a person keeps of the Tuner's search: the trials, and a settings file with the best values."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from imdb_core.hyperparameters import in_short
from pipeline.history.table import Table
from pipeline.settings.config import Settings, flatten
from pipeline.settings.toml import toml_file

TUNED_FILE: Final = "tuned.toml"


def read_tuning(settings: Settings, best: str, results: str) -> dict[str, Any]:
    """Collects the outcome of a search.

    Args:
        settings: of the run.
        best: folder of the Tuner's output `best_hyperparameters`.
        results: folder of its output `tuner_results`.

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


def tuning_sentence(tuning: Mapping[str, Any]) -> str:
    """Says what was found.

    Args:
        tuning: from `read_tuning`.
    """
    changes = ", ".join(f"{key} {new} (was {old})" for key, (old, new) in tuning["changed"].items())
    if not changes:
        found = "none improved the settings of this run"
    elif tuning["current_eval_loss"] is None:
        found = f"training breaks down with the settings of this run, but not with {changes}"
    else:
        found = f"instead of {tuning['current_eval_loss']:.4f}, with {changes}"
    return f"Tuned: eval loss {tuning['eval_loss']:.4f}, the best of {len(tuning['trials'])} trials; {found}."


def trials_table(tuning: Mapping[str, Any], settings: Mapping[str, Any]) -> Table:
    """Shows the trials in their order, and of their values those that are not the run's own.

    Args:
        tuning: from `read_tuning`.
        settings: of the tuned run, `section.key` → value.
    """
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
    return Table("Trials, and what differs from the settings of the run", columns, [now, *rows])

"""Settings that a command hands to the pipeline file through the environment."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from imdb_core.errors import SettingsError
from pipeline.settings.config import Settings, load_settings
from pipeline.tfx_cli.command import CONFIG_VARIABLE, SET_VARIABLE


def settings_from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings that a command handed to the pipeline file it executes.

    Args:
        environ: Environment variables. `IMDB_CONFIG` names a TOML file, `IMDB_SET` is a JSON list of
            `section.key=value`.

    Raises:
        SettingsError: `IMDB_SET` is not a JSON list of texts, or `load_settings` refuses the settings.
    """
    file = environ.get(CONFIG_VARIABLE)
    return load_settings(Path(file) if file else None, assignments_from_environment(environ))


def assignments_from_environment(environ: Mapping[str, str]) -> list[str]:
    """Reads the list of assignments in `IMDB_SET`; see `settings_from_environment`."""
    text = environ.get(SET_VARIABLE) or "[]"
    try:
        assignments = json.loads(text)
    except json.JSONDecodeError:
        assignments = None
    if not isinstance(assignments, list) or not all(isinstance(item, str) for item in assignments):
        raise SettingsError(f'{SET_VARIABLE} is {text!r}; expected a JSON list like ["training.epochs=3"]')
    return assignments

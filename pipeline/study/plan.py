"""Plans a study: the settings of each preset, and the seeds. It does not import TensorFlow."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imdb_core.errors import SettingsError
from pipeline.settings import (
    CONFIG_VARIABLE,
    PRESETS,
    SET_VARIABLE,
    Settings,
    assignments_from_environment,
    settings_from_environment,
)
from pipeline.tfx_cli.command import settings_environment

_SOURCE: Final = "data.source="


@dataclass(frozen=True)
class Study:
    """A study that is ready to run."""

    settings: Mapping[str, Settings]  # by preset
    seeds: Sequence[int]  # take the place of `training.seed`, the same for all presets
    command: str  # repeats the study on any machine; paths are reduced to file names


def plan(
    presets: str, seeds: int, config: Path | None, overrides: Sequence[str], environ: Mapping[str, str] = os.environ
) -> Study:
    """Reads the settings of a study like those of a run, except for the preset.

    Args:
        presets: Comma-separated names of presets.
        seeds: Number of seeds: `training.seed` and the integers that follow it.
        config: A settings file; its preset is ignored.
        overrides: Assignments `section.key=value`.
        environ: The environment variables.

    Raises:
        SettingsError: A preset is unknown, `overrides` sets the preset, there are too few seeds, or a setting is wrong.
    """
    names = [name.strip() for name in presets.split(",")]
    if not set(names) <= set(PRESETS) or len(set(names)) < len(names):
        raise SettingsError(f"--presets {presets}: expected some of {', '.join(PRESETS)}, each once")
    if seeds < 1:
        raise SettingsError(f"--seeds {seeds}: expected 1 or more; a verdict takes 2, and 5 are a good number")
    given = {**environ, **settings_environment(config, overrides)}
    settings = {name: _with_preset(name, given, []) for name in names}
    for name, of_preset in settings.items():
        if of_preset.config.preset != name:
            raise SettingsError(f"--set preset={of_preset.config.preset}: a study sets it itself; use --presets")
    first = settings[names[0]].config.training.seed
    last = first + seeds - 1
    # Checks that the largest seed is within its bounds.
    _with_preset(names[0], given, [f"training.seed={last}"])
    return Study(settings, range(first, last + 1), _command(names, seeds, given))


def _with_preset(name: str, environ: Mapping[str, str], more: Sequence[str]) -> Settings:
    assignments = [f"preset={name}", *assignments_from_environment(environ), *more]
    return settings_from_environment({**environ, SET_VARIABLE: json.dumps(assignments)})


def _command(presets: Sequence[str], seeds: int, environ: Mapping[str, str]) -> str:
    words = ["imdb-attention", "compare", "--seeds", str(seeds), "--presets", ",".join(presets)]
    file = environ.get(CONFIG_VARIABLE)
    words += ["--config", Path(file).name] if file else []
    for assignment in assignments_from_environment(environ):
        path = assignment.removeprefix(_SOURCE)
        words += ["--set", assignment if path == assignment else _SOURCE + Path(path).name]
    return shlex.join(words)

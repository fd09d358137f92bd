"""Lists the settings of a run, what its Tuner found, and the versions of packages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.history.runs import PastRun
from pipeline.history.tuning import trials_table, tuning_sentence
from pipeline.settings import changed_settings, preset_settings
from pipeline.text_table import TextTable


@dataclass(frozen=True)
class SettingRow:
    """A setting of the run, with values as JSON."""

    key: str  # `section.key`
    value: str
    default: str | None  # the preset's value; None if this version of the project has no such setting
    changed: bool


@dataclass(frozen=True)
class ConfigurationSection:
    """The configuration of a run."""

    preset: str | None  # None if it was not recorded
    search: tuple[str, TextTable] | None  # what the Tuner found, and its trials; None without a search
    settings: Sequence[SettingRow]
    versions: Mapping[str, str]  # of packages; empty if they were not recorded


def describe_configuration(run: PastRun) -> ConfigurationSection:
    """Describes the configuration of a run."""
    tuning = run.recorded.get("tuning")
    return ConfigurationSection(
        preset=run.settings.get("preset"),
        search=(tuning_sentence(tuning), trials_table(tuning, run.settings)) if tuning else None,
        settings=_setting_rows(run.settings),
        versions=run.recorded.get("versions", {}),
    )


def _setting_rows(settings: Mapping[str, Any]) -> list[SettingRow]:
    defaults, changed = preset_settings(settings), changed_settings(settings)
    return [
        SettingRow(
            key,
            json.dumps(value, ensure_ascii=False),
            json.dumps(defaults[key], ensure_ascii=False) if key in defaults else None,
            changed=key in changed,
        )
        for key, value in settings.items()
    ]

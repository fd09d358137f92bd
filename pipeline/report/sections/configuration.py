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
    """A setting of the run.

    Attributes:
        key: `section.key`.
        value: The value as JSON.
        default: The preset's value as JSON; None if this version of the project has no such setting.
        changed: Whether the two differ.
    """

    key: str
    value: str
    default: str | None
    changed: bool


@dataclass(frozen=True)
class ConfigurationSection:
    """The configuration of a run.

    Attributes:
        preset: Name of the preset; None if it was not recorded.
        search: What the Tuner found in words, and its trials; None if the run did not search.
        settings: All settings.
        versions: Versions of packages by name; empty if they were not recorded.
    """

    preset: str | None
    search: tuple[str, TextTable] | None
    settings: Sequence[SettingRow]
    versions: Mapping[str, str]


def describe_configuration(run: PastRun) -> ConfigurationSection:
    """Describes the configuration of a run.

    Args:
        run: A past run.
    """
    record = run.record or run.failure or {}
    tuning = record.get("tuning")
    return ConfigurationSection(
        preset=run.settings.get("preset"),
        search=(tuning_sentence(tuning), trials_table(tuning, run.settings)) if tuning else None,
        settings=_setting_rows(run.settings),
        versions=record.get("versions", {}),
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

"""Finds settings that differ from the run's preset."""

from collections.abc import Mapping
from typing import Any

from imdb_core.errors import SettingsError
from pipeline.settings.config import flatten, load_settings


def preset_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the current values of a run's preset, or an empty dict if the preset no longer exists.

    Args:
        settings: The run's `section.key` → value. Without `preset`, the default preset applies.
    """
    try:
        return flatten(load_settings(None, [f"preset={settings.get('preset', 'attention')}"]).config)
    except SettingsError:
        return {}


def changed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings whose values differ from those of the run's preset.

    Args:
        settings: The run's `section.key` → value.
    """
    preset = preset_settings(settings)
    return {key: value for key, value in settings.items() if key in preset and preset[key] != value}

"""What the settings of a run have of their own."""

from collections.abc import Mapping
from typing import Any

from imdb_core.errors import SettingsError
from pipeline.settings.config import flatten, load_settings


def preset_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the preset of a run says today; empty where there is no such preset any more.

    Args:
        settings: `section.key` → value. Without `preset` it is the default one.
    """
    try:
        return flatten(load_settings(None, [f"preset={settings.get('preset', 'attention')}"]).config)
    except SettingsError:
        return {}


def changed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings whose values are not their preset's.

    Args:
        settings: `section.key` → value.
    """
    preset = preset_settings(settings)
    return {key: value for key, value in settings.items() if key in preset and preset[key] != value}

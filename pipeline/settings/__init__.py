"""The settings of a run: the validated tree, its presets, and the files and variables that it is read from.

A public package: import its names from here. It imports neither TensorFlow nor TFX, so that a wrong setting is reported
before anything heavy is loaded.

- `load_settings` merges a preset, a TOML file and `section.key=value` assignments into `Settings`: a `PipelineConfig`
  and the origin of each value.
- `PRESETS` holds the values of each preset by its `PresetName`; `preset_settings` lists all settings of one.
- `settings_from_environment` reads the settings that a command left in environment variables: the TOML file in
  `CONFIG_VARIABLE` and the assignments in `SET_VARIABLE`, which `assignments_from_environment` reads alone.
  `VERBOSE_VARIABLE` is set to show the whole log.
- `flatten` lists a `PipelineConfig` as `section.key` → value. `changed_settings` keeps what differs from the preset.
- `toml_file` and `toml_value` write such values in TOML.
"""

from pipeline.settings.config import (
    PipelineConfig,
    Settings,
    changed_settings,
    flatten,
    load_settings,
    preset_settings,
)
from pipeline.settings.environment import assignments_from_environment, settings_from_environment
from pipeline.settings.presets import PRESETS, PresetName
from pipeline.settings.toml import toml_file, toml_value
from pipeline.tfx_cli.command import CONFIG_VARIABLE, SET_VARIABLE, VERBOSE_VARIABLE

__all__ = [
    "CONFIG_VARIABLE",
    "PRESETS",
    "SET_VARIABLE",
    "VERBOSE_VARIABLE",
    "PipelineConfig",
    "PresetName",
    "Settings",
    "assignments_from_environment",
    "changed_settings",
    "flatten",
    "load_settings",
    "preset_settings",
    "settings_from_environment",
    "toml_file",
    "toml_value",
]

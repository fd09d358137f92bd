"""The validated tree of all settings, and the origin of each value.

Later sources win: defaults, then the preset, then a TOML file, then `--set`.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli
from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails

from imdb_core.errors import SettingsError
from imdb_core.hyperparameters import candidates
from imdb_core.settings import (
    BeamSettings,
    CardSettings,
    DataSettings,
    EvaluationSettings,
    MetadataSettings,
    ModelSettings,
    ReportSettings,
    RunSettings,
    Section,
    ServingSettings,
    TrainingSettings,
    TransformSettings,
    TuningSettings,
)
from imdb_core.validation import expectation
from pipeline.settings.presets import PRESETS, PresetName

# How TOML writes what was expected.
_NOTATION: Final = {
    "string_type": '; put "quotes" around text that looks like a number, a date, a list or true/false',
    "tuple_type": ', like ["a", "b"]',
}


class PipelineConfig(Section):
    """All settings of a run."""

    preset: PresetName = "attention"
    data: DataSettings = DataSettings()
    transform: TransformSettings = TransformSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    tuning: TuningSettings = TuningSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    serving: ServingSettings = ServingSettings()
    report: ReportSettings = ReportSettings()
    card: CardSettings = CardSettings()
    run: RunSettings = RunSettings()
    beam: BeamSettings = BeamSettings()
    metadata: MetadataSettings = MetadataSettings()

    @model_validator(mode="after")
    def _pairs_that_work(self) -> "PipelineConfig":
        if self.training.patience and not self.data.eval_fraction:
            raise ValueError(
                f"training.patience = {self.training.patience} needs an eval split, and data.eval_fraction = 0.0 "
                "leaves none; use data.eval_fraction > 0, or training.patience = 0"
            )
        if self.training.mixed_precision and self.training.device == "cpu":
            raise ValueError(
                "training.mixed_precision = true needs a GPU, and training.device = 'cpu' hides it; "
                "use training.device = 'gpu' or 'auto', or training.mixed_precision = false"
            )
        if self.training.tune and not self.data.eval_fraction:
            raise ValueError(
                "training.tune = true chooses by an eval split, and data.eval_fraction = 0.0 (as in preset 'blog') "
                "leaves none; use data.eval_fraction > 0, or training.tune = false"
            )
        candidates(self.tuning.space, self.model, self.training)
        return self


@dataclass(frozen=True)
class Settings:
    """The validated settings of a run, and where they came from.

    Attributes:
        config: The tree of settings.
        origins: `section.key` → origin of its value: `default`, the preset, the file or `--set`.
    """

    config: PipelineConfig
    origins: Mapping[str, str]


def load_settings(file: Path | None = None, assignments: Sequence[str] = ()) -> Settings:
    """Builds the settings from a file and from `section.key=value` assignments.

    Args:
        file: A TOML file with a table for each section, and optionally `preset` at the top.
        assignments: Assignments whose values are in TOML; a value that is not TOML is taken as text.

    Raises:
        SettingsError: The file cannot be read, a key is unknown, a value has the wrong type or is out of bounds, or
            two settings contradict each other.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if file is not None:
        layers.append((str(file), _read_toml(file)))
    for text in assignments:
        layers.append(("--set", _read_assignment(text)))
    preset = next((tree["preset"] for _, tree in reversed(layers) if "preset" in tree), "attention")
    # Validation reports every other value.
    if isinstance(preset, str) and preset in PRESETS:
        layers.insert(0, (f"preset {preset}", PRESETS[preset]))

    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, tree in layers:
        for name, value in tree.items():
            if name in PipelineConfig.model_fields and isinstance(value, Mapping) == (name == "preset"):
                expected = "a name, like preset=blog" if name == "preset" else f"a table of settings, like [{name}]"
                raise SettingsError(f"{name} = {value!r} ({origin}): expected {expected}")
            if isinstance(value, Mapping) and isinstance(merged.get(name, {}), dict):
                merged[name] = {**merged.get(name, {}), **value}
                origins.update({f"{name}.{key}": origin for key in value})
            else:
                merged[name] = value
                origins[name] = origin
    try:
        config = PipelineConfig.model_validate(merged)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(details, origins) for details in error.errors())) from None
    return Settings(config, {key: origins.get(key, "default") for key in flatten(config)})


def flatten(config: PipelineConfig) -> dict[str, Any]:
    """Returns the tree as `section.key` → value, in the order of the sections."""
    flat: dict[str, Any] = {}
    for name, value in config.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            flat[name] = value
    return flat


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
    """Returns those of a run's settings, `section.key` → value, that differ from its preset."""
    preset = preset_settings(settings)
    return {key: value for key, value in settings.items() if key in preset and preset[key] != value}


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomli.loads(file.expanduser().read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {file}: {error.strerror}") from None
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {file} is not TOML: {error}") from None


def _read_assignment(text: str) -> dict[str, Any]:
    key, equals, written = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts) or len(parts) > 2 or (len(parts) == 1 and parts != ["preset"]):  # noqa: PLR2004 - section and key
        raise SettingsError(f"--set {text!r}: expected section.key=value, like training.epochs=3, or preset=blog")
    written = written.strip()
    try:
        parsed = tomli.loads(f"value = {written}")
    except tomli.TOMLDecodeError:
        parsed = {}
    # More than one key comes from a text of several lines that happens to look like TOML.
    value = parsed["value"] if len(parsed) == 1 else written
    return {parts[0]: value} if len(parts) == 1 else {parts[0]: {parts[1]: value}}


def _explain(details: ErrorDetails, origins: Mapping[str, str]) -> str:
    """Describes one error of pydantic on one line: the key, the given value, its origin and what is allowed."""
    path = [str(part) for part in details["loc"]]
    key = ".".join(path)
    origin = next((f" ({origins[name]})" for name in (key, ".".join(path[:2])) if name in origins), "")
    if details["type"] == "extra_forbidden":
        fields = _keys_of(path[:-1])
        close = difflib.get_close_matches(path[-1], fields, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown setting {key!r}{origin}; {hint}allowed here: {', '.join(fields)}"
    if details["type"] == "value_error":
        return f"{key + ': ' if key else ''}{details['ctx']['error']}"
    return f"{key} = {details['input']!r}{origin}: {expectation(details)}{_NOTATION.get(details['type'], '')}"


def _keys_of(path: Sequence[str]) -> list[str]:
    section: type[Section] = PipelineConfig
    for name in path:
        annotation = section.model_fields[name].annotation
        if not isinstance(annotation, type) or not issubclass(annotation, Section):
            return []
        section = annotation
    return list(section.model_fields)

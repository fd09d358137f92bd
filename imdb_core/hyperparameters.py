"""Hyperparameters: settings named `section.key`, and the values that a search may try."""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from imdb_core.settings import ModelSettings, Section, TrainingSettings
from imdb_core.validation import expectation

_SECTIONS: Final[Mapping[str, type[Section]]] = {"model": ModelSettings, "training": TrainingSettings}
# A search must not choose the kind of model, the place of training or the seed.
_FIXED: Final = frozenset(
    {
        *(f"model.{name}" for name in ("softmax", "pooling", "mask")),
        *(f"training.{name}" for name in ("seed", "device", "mixed_precision", "tune")),
    }
)

Holder = TypeVar("Holder", bound=Section)


def searchable() -> list[str]:
    """Lists the settings whose values a search may choose, as `section.key`."""
    keys = [f"{section}.{name}" for section, settings in _SECTIONS.items() for name in settings.model_fields]
    return [key for key in keys if key not in _FIXED]


def candidates(
    space: Mapping[str, Iterable[Any]], model: ModelSettings, training: TrainingSettings
) -> dict[str, list[Any]]:
    """Lists the values that a search tries for each setting: distinct, ascending, and including the current one.

    `space` maps `section.key` to values, which are converted to the setting's type.

    Raises:
        ValueError: A key names no searchable setting, or a setting does not allow a value.
    """
    current = {"model": model, "training": training}
    found: dict[str, list[Any]] = {}
    for key, values in space.items():
        if key not in searchable():
            raise ValueError(f"tuning.space names {key!r}; what can be searched is {', '.join(searchable())}")
        section, _, name = key.partition(".")
        now = getattr(current[section], name)
        found[key] = sorted({now, *(_checked(current[section], key, value) for value in values)})
    return found


def with_values(settings: Holder, values: Mapping[str, Any]) -> Holder:
    """Replaces hyperparameters in settings and validates the result.

    Args:
        settings: Settings that hold the sections `model` and `training`; returned as they are if there are no values.
        values: `section.key` → value.

    Raises:
        ValidationError: A value is not allowed, or contradicts another setting.
    """
    if not values:
        return settings
    dumped = settings.model_dump(mode="json")
    for key, value in values.items():
        section, _, name = key.partition(".")
        dumped[section][name] = value
    return type(settings).model_validate(dumped)


def value_of(settings: Section, key: str) -> Any:
    """Returns the value of the hyperparameter `section.key` in settings that hold that section."""
    return attrgetter(key)(settings)


def in_short(value: Any) -> str:
    """Formats a setting's value briefly; typed back as a setting, the text gives the same value."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _checked(settings: Section, key: str, value: Any) -> Any:
    """Converts a value to the setting's type: an int given for a float becomes a float."""
    _, _, name = key.partition(".")
    try:
        return getattr(type(settings).model_validate({**settings.model_dump(mode="json"), name: value}), name)
    except ValidationError as error:
        raise ValueError(f"tuning.space gives {key} the value {value!r}: {expectation(error.errors()[0])}") from None

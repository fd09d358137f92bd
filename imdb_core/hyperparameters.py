"""Hyperparameters: settings named `section.key`, and the values of them that a search may try."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from imdb_core.settings import ModelSettings, Section, TrainingSettings

_SECTIONS: Final[Mapping[str, type[Section]]] = {"model": ModelSettings, "training": TrainingSettings}
# What a model is, where it is trained, and luck: no search may choose these.
_FIXED: Final = frozenset(
    {
        *(f"model.{name}" for name in ("softmax", "pooling", "mask")),
        *(f"training.{name}" for name in ("seed", "device", "mixed_precision", "tune")),
    }
)


def searchable() -> list[str]:
    """Names the settings whose values a search may choose."""
    keys = [f"{section}.{name}" for section, settings in _SECTIONS.items() for name in settings.model_fields]
    return [key for key in keys if key not in _FIXED]


def candidates(
    space: Mapping[str, Iterable[Any]], model: ModelSettings, training: TrainingSettings
) -> dict[str, list[Any]]:
    """Lists what a search tries for each setting.

    Args:
        space: `section.key` → values.
        model: current settings.
        training: current settings.

    Returns:
        `section.key` → different values in rising order, of the setting's own type; the current one is among them.

    Raises:
        ValueError: a key names nothing that can be searched, or a value is none that its setting takes.
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


def with_values(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Puts values into dumped settings.

    Args:
        config: holds the dumped sections `model` and `training`, and whatever else.
        values: `section.key` → value.

    Returns:
        A copy of `config` with these values; the same for no values.
    """
    changed = dict(config)
    for key, value in values.items():
        section, _, name = key.partition(".")
        changed[section] = {**changed[section], name: value}
    return changed


def in_short(value: Any) -> str:
    """Writes a value for people; what they type instead sets the same one.

    Args:
        value: of a setting.
    """
    return f"{value:g}" if isinstance(value, float) else str(value)


def _checked(settings: Section, key: str, value: Any) -> Any:
    """The value as the setting holds it: a whole number for a fraction becomes a fraction."""
    _, _, name = key.partition(".")
    try:
        return getattr(type(settings).model_validate({**settings.model_dump(mode="json"), name: value}), name)
    except ValidationError as error:
        raise ValueError(f"tuning.space gives {key} the value {value!r}: {error.errors()[0]['msg']}") from None

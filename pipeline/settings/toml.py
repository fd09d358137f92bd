"""Writes settings in TOML, in the form that `load_settings` reads."""

from collections.abc import Mapping
from typing import Any

import tomli_w


def toml_value(value: Any) -> str:
    """Writes one value of a flattened tree in TOML, on one line.

    Args:
        value: A text, number, boolean, a list of these, or a mapping of such lists.
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(_pair(key, item) for key, item in value.items())}}}"
    return _pair("value", value).removeprefix("value = ")


def toml_file(values: Mapping[str, Any], comment: str) -> str:
    """Writes a settings file with a table for each section.

    Args:
        values: `section.key`, or `preset`, → value.
        comment: Text of the first line.
    """
    tree: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    return f"# {comment}\n{tomli_w.dumps(tree)}"


def _pair(key: str, value: Any) -> str:
    # The library puts every item of a list on a line of its own, and escapes line breaks in texts.
    lines = tomli_w.dumps({key: value}, indent=0).rstrip("\n")
    return lines.replace(",\n]", "]").replace("[\n", "[").replace(",\n", ", ")

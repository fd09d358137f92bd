"""Settings written as TOML: what `load_settings` reads."""

import json
from collections.abc import Mapping
from typing import Any


def toml_value(value: Any) -> str:
    """Writes a value of a flattened tree in TOML's notation, on one line."""
    if isinstance(value, Mapping):
        pairs = (f"{toml_value(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    # JSON's notation of all others is TOML's too, if no character beyond the BMP is escaped and DEL is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_file(values: Mapping[str, Any], comment: str) -> str:
    """Writes a settings file with a table for each section.

    Args:
        values: `section.key`, or `preset`, → value.
        comment: its first line.
    """
    lines = [f"# {comment}"]
    # What stands in no table has to come first.
    lines += [f"{key} = {toml_value(value)}" for key, value in values.items() if "." not in key]
    for section in dict.fromkeys(key.partition(".")[0] for key in values if "." in key):
        lines += ["", f"[{section}]"]
        lines += [
            f"{key.partition('.')[2]} = {toml_value(value)}"
            for key, value in values.items()
            if key.startswith(f"{section}.")
        ]
    return "\n".join(lines) + "\n"

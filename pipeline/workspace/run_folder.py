"""The folder that a run leaves for people and programs: `reports/RUN/` in the workspace."""

import json
from pathlib import Path
from typing import Any


def run_folder(workspace: Path, run_id: str) -> Path:
    """Returns the folder of a run. Some file systems refuse the colons of its id, so dashes replace them."""
    return workspace / "reports" / run_id.replace(":", "-")


def read_record(workspace: Path, run_id: str, name: str) -> dict[str, Any] | None:
    """Reads one of the JSON files of a run; returns None if the file does not exist or cannot be read."""
    try:
        record = json.loads((run_folder(workspace, run_id) / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None

"""How runs are told from others, and what one leaves for people and programs: `reports/RUN/` in the workspace."""


import json
from pathlib import Path
from typing import Any, Final



def run_folder(workspace: Path, run_id: str) -> Path:
    """Returns the folder of a run; not every file system takes the colons of its id."""
    return workspace / "reports" / run_id.replace(":", "-")

def read_record(workspace: Path, run_id: str, name: str) -> dict[str, Any] | None:
    """Reads one of the JSON files of a run; None where there is none, or none that can be read."""
    try:
        record = json.loads((run_folder(workspace, run_id) / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None

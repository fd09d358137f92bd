"""How runs are told from others, and what one leaves for people and programs: `reports/RUN/` in the workspace."""

import json
from pathlib import Path
from typing import Any, Final

# The pipeline's name in ML Metadata; studies have another, in a store that both share.
PIPELINE_NAME: Final = "imdb_attention"

RUN_FILE: Final = "run.json"
# Instead of `run.json`, after a run that did not succeed.
FAILURE_FILE: Final = "failure.json"
PAGE_FILE: Final = "index.html"


def run_folder(workspace: Path, run_id: str) -> Path:
    """Returns the folder of a run; not every file system takes the colons of its id."""
    return workspace / "reports" / run_id.replace(":", "-")


def write_whole(file: Path, text: str) -> None:
    """Writes a file so that whoever reads it sees all of it or nothing; makes its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(file)


def read_record(workspace: Path, run_id: str, name: str) -> dict[str, Any] | None:
    """Reads one of the JSON files of a run; None where there is none, or none that can be read."""
    try:
        record = json.loads((run_folder(workspace, run_id) / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None

"""A run that has ended, and the part of its record that does not depend on its success."""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imdb_core.files import write_json
from imdb_core.packages import package_versions
from pipeline.history.runs import PastNode, run_folder
from pipeline.running.monitor import NodeUsage
from pipeline.settings import Settings, flatten
from pipeline.workspace.run_names import FAILURE_FILE


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended, successfully or not."""

    run_id: str  # ML Metadata's id
    settings: Settings
    workspace: Path
    nodes: dict[str, PastNode]  # state and outputs by id
    usages: list[NodeUsage]  # of each node that was started
    seconds: float  # wall time of the whole run
    peak_megabytes: float  # the most memory that all its processes took at a time, in MiB
    log_file: Path  # the full log
    upstream: dict[str, list[str]]  # node id → ids of the nodes that it waits for


def common_record(run: FinishedRun) -> dict[str, Any]:
    """Collects what the record of every run holds.

    Returns:
        JSON: run id, seconds, peak memory, log, settings, nodes with state, seconds and peak memory, the nodes that
        each node waits for, and versions of Python, of the operating system and of packages.
    """
    usages = {usage.node: usage for usage in run.usages}
    return {
        "run_id": run.run_id,
        "seconds": round(run.seconds, 1),
        "peak_megabytes": round(run.peak_megabytes),
        "log": str(run.log_file),
        "settings": flatten(run.settings.config),
        "nodes": [
            {
                "node": name,
                "state": node.state,
                "seconds": round(usages[name].seconds, 2) if name in usages else None,
                "peak_megabytes": round(usages[name].peak_megabytes) if name in usages else None,
            }
            for name, node in run.nodes.items()
        ],
        "upstream": run.upstream,
        "versions": {"python": platform.python_version(), "platform": platform.platform(), **package_versions()},
    }


def write_failure(run: FinishedRun, message: str) -> None:
    """Writes the error message of a failed run to `failure.json`, which `imdb-attention runs` and `report` read."""
    write_json(run_folder(run.workspace, run.run_id) / FAILURE_FILE, {"error": message, **common_record(run)})

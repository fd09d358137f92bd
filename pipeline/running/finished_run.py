"""A run that has ended, and the part of its record that does not depend on its success."""

import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from pipeline.history.runs import PastNode
from pipeline.running.monitor import NodeUsage
from pipeline.settings import Settings, flatten

# Packages whose version may change a result.
_PACKAGES: Final = (
    "imdb-attention",
    "tfx",
    "tensorflow",
    "keras",
    "tensorflow-transform",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "apache-beam",
    "ml-metadata",
    "tfx-bsl",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "protobuf",
    "pydantic",
    "matplotlib",
)


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended, successfully or not.

    Attributes:
        run_id: ML Metadata's id of the run.
        settings: The settings of the run.
        workspace: The workspace that the run wrote to.
        nodes: The state and outputs of each node, by its id.
        usages: Time and memory of each node that was started.
        seconds: Wall time of the whole run.
        log_file: The full log.
        upstream: Node id → ids of the nodes that it waits for.
    """

    run_id: str
    settings: Settings
    workspace: Path
    nodes: dict[str, PastNode]
    usages: list[NodeUsage]
    seconds: float
    log_file: Path
    upstream: dict[str, list[str]]


def common_record(run: FinishedRun) -> dict[str, Any]:
    """Collects what the record of every run holds.

    Returns:
        JSON: run id, seconds, log, settings, nodes with state, seconds and peak memory, the nodes that each node waits
        for, and versions of packages.
    """
    usages = {usage.node: usage for usage in run.usages}
    return {
        "run_id": run.run_id,
        "seconds": round(run.seconds, 1),
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
        "versions": _package_versions(),
    }


def _package_versions() -> dict[str, str]:
    """Returns the versions of Python, of the operating system and of the packages that are installed."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions

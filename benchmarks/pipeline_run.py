"""The pipeline as a user starts it, and what it says of itself in its workspace."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import Process
from imdb_core.errors import RunError

ROOT: Final = Path(__file__).resolve().parent.parent

_LOG_TIME: Final = "%Y-%m-%d %H:%M:%S,%f"
_LOG_TIME_LENGTH: Final = 23
_FIRST_NODE: Final = "Component ImdbExampleGen is running."
_KEPT: Final = ("nodes", "ingest", "selection", "champion", "settings")
_MIB_IN_GIGABYTES: Final = 2**20 / 1e9


def command(settings: Mapping[str, str | int]) -> list[str]:
    """Returns the command that a user types, with the `tfx` of this environment.

    Args:
        settings: `section.key` → value.
    """
    # TOML takes JSON's strings, so that no path is mistaken for anything else.
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    tfx = Path(sys.executable).with_name("tfx")
    return [str(tfx), "run", "create", "--pipeline", str(ROOT / "pipeline"), *options]


def read_run(workspace: Path, process: Process) -> dict[str, Any]:
    """Reads the only run of a workspace.

    Args:
        workspace: of the pipeline.
        process: that ran it.

    Returns:
        JSON: `seconds` (`total`, `start_up` until the first node began, `training` of both Trainers,
        `without_training`, and CPU seconds), `peak_gigabytes`, `pushed`, `nodes` with seconds and peak, and of the
        run's own record `ingest`, `selection`, `champion` and `settings`.

    Raises:
        RunError: there is no record, or a log that does not say when the first node began.
    """
    record = json.loads(_only(workspace, "reports/*/run.json").read_text())
    nodes = [
        {
            "node": node["node"],
            "state": node["state"],
            "seconds": node["seconds"],
            "peak_gigabytes": (node["peak_megabytes"] or 0) * _MIB_IN_GIGABYTES,
        }
        for node in record["nodes"]
    ]
    training = sum(node["seconds"] or 0.0 for node in nodes if node["node"].startswith("Trainer."))
    return {
        **{key: record[key] for key in _KEPT},
        "nodes": nodes,
        "pushed": record["pushed"]["pushed"],
        "seconds": {
            "total": process.seconds,
            "start_up": _first_node_began(_only(workspace, "logs/*.log")) - process.started_at,
            "training": training,
            "without_training": process.seconds - training,
            "cpu": process.cpu_seconds,
            "cpu_of_others": process.other_cpu_seconds,
        },
        # The run watches its child processes too, the system's own peak is that of one process.
        "peak_gigabytes": max([process.peak_gigabytes, *(node["peak_gigabytes"] for node in nodes)]),
    }


def read_vocabulary(workspace: Path) -> list[str]:
    """Reads the words of the only Transform graph of a workspace, most frequent first.

    Raises:
        RunError: there is none.
    """
    file = _only(workspace, "artifacts/Transform/transform_graph/*/transform_fn/assets/vocabulary")
    return file.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def check_vocabulary(words: Sequence[str], script_words: Sequence[str] | None, unknown: float) -> dict[str, Any]:
    """Describes a vocabulary.

    Args:
        words: of the pipeline.
        script_words: of the blog's script; None where that did not run.
        unknown: share of test tokens out of vocabulary.

    Returns:
        JSON: `words`, `distinct`, `first` (ten words), `unknown_share`, and `shared_with_script` and
        `same_as_script`, None without a script.
    """
    return {
        "words": len(words),
        "distinct": len(set(words)),
        "first": list(words[:10]),
        "unknown_share": unknown,
        "shared_with_script": None if script_words is None else len(set(words) & set(script_words)),
        "same_as_script": None if script_words is None else list(words) == list(script_words),
    }


def _only(workspace: Path, pattern: str) -> Path:
    found = list(workspace.glob(pattern))
    if len(found) != 1:
        raise RunError(f"{workspace} has {len(found)} files {pattern}, expected 1; benchmark a fresh workspace")
    return found[0]


def _first_node_began(log: Path) -> float:
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.rstrip().endswith(_FIRST_NODE):
                return datetime.strptime(line[:_LOG_TIME_LENGTH], _LOG_TIME).timestamp()
    raise RunError(f"{log} does not say when the first node began; expected a line that ends in {_FIRST_NODE!r}")

"""Starts the pipeline as a user does, and reads its record from its workspace."""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import MeasuredProcess
from imdb_core.errors import RunError
from imdb_core.file_names import VOCABULARY
from pipeline.workspace.run_names import RUN_FILE

ROOT: Final = Path(__file__).resolve().parent.parent

_FIRST_NODE: Final = "ImdbExampleGen"
_BEGINS: Final = re.compile(r"(\S+ \S+) .*Component (\S+) is running\.$")
_KEPT: Final = ("nodes", "ingest", "selection", "champion", "settings")
_MIB_IN_GIGABYTES: Final = 2**20 / 1e9


def command(settings: Mapping[str, str | int]) -> list[str]:
    """Returns the command that a user types for these settings, with the `tfx` of this environment."""
    # JSON strings are valid TOML; quoting keeps a path from being read as another type.
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    tfx = Path(sys.executable).with_name("tfx")
    return [str(tfx), "run", "create", "--pipeline", str(ROOT / "pipeline"), *options]


def read_run(workspace: Path, process: MeasuredProcess) -> dict[str, Any]:
    """Reads the only run of a workspace, which a measured process made.

    Returns:
        JSON: `seconds` (`total`, `start_up` until the first node began, `training` while at least one Trainer ran,
        `without_training`, and CPU seconds), `peak_gigabytes`, `pushed`, `nodes` with seconds and peak, and `ingest`,
        `selection`, `champion` and `settings` from the run's record.

    Raises:
        RunError: There is no record, or the log does not show when the first node or a Trainer began.
    """
    record = json.loads(only(workspace, f"reports/*/{RUN_FILE}").read_text())
    nodes = [
        {
            "node": node["node"],
            "state": node["state"],
            "seconds": node["seconds"],
            "peak_gigabytes": (node["peak_megabytes"] or 0) * _MIB_IN_GIGABYTES,
        }
        for node in record["nodes"]
    ]
    log = only(workspace, "logs/*.log")
    began = _began(log)
    trainers = {node["node"]: node["seconds"] or 0.0 for node in nodes if node["node"].startswith("Trainer.")}
    if missing := {_FIRST_NODE, *trainers} - set(began):
        raise RunError(f"{log} does not show when {min(missing)} began; expected a line `Component NODE is running.`")
    training = _covered([(began[name], began[name] + seconds) for name, seconds in trainers.items()])
    return {
        **{key: record[key] for key in _KEPT},
        "nodes": nodes,
        "pushed": record["pushed"]["pushed"],
        "seconds": {
            "total": process.seconds,
            "start_up": began[_FIRST_NODE] - process.started_at,
            "training": training,
            "without_training": process.seconds - training,
            "cpu": process.cpu_seconds,
            "cpu_of_others": process.other_cpu_seconds,
        },
        # The run also measures its child processes; the system's peak is that of a single process.
        "peak_gigabytes": max([process.peak_gigabytes, *(node["peak_gigabytes"] for node in nodes)]),
    }


def read_vocabulary(workspace: Path) -> list[str]:
    """Reads the words of the only Transform graph of a workspace, most frequent first.

    Raises:
        RunError: There is not exactly one.
    """
    file = only(workspace, f"artifacts/Transform/transform_graph/*/transform_fn/assets/{VOCABULARY}")
    return file.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def check_vocabulary(words: Sequence[str], script_words: Sequence[str] | None, unknown: float) -> dict[str, Any]:
    """Compares the pipeline's vocabulary with the script's.

    Args:
        words: The pipeline's vocabulary.
        script_words: The script's vocabulary; None, without a script, makes the results that compare them None too.
        unknown: The share of test tokens that are out of vocabulary.
    """
    return {
        "words": len(words),
        "distinct": len(set(words)),
        "first": list(words[:10]),
        "unknown_share": unknown,
        "shared_with_script": None if script_words is None else len(set(words) & set(script_words)),
        "same_as_script": None if script_words is None else list(words) == list(script_words),
    }


def only(workspace: Path, pattern: str) -> Path:
    """Returns the only file or folder of a workspace that matches a pattern.

    Raises:
        RunError: There is none, or more than one.
    """
    found = list(workspace.glob(pattern))
    if len(found) != 1:
        raise RunError(
            f"{workspace} has {len(found)} files {pattern}, expected 1; use a fresh workspace for each benchmark"
        )
    return found[0]


def _began(log: Path) -> dict[str, float]:
    """Reads when each node began, in seconds since the epoch."""
    began: dict[str, float] = {}
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if found := _BEGINS.match(line.rstrip()):
                time, node = found.groups()
                began.setdefault(node, datetime.strptime(time, "%Y-%m-%d %H:%M:%S,%f").timestamp())
    return began


def _covered(intervals: Sequence[tuple[float, float]]) -> float:
    """Returns the length of the union of intervals."""
    covered, reached = 0.0, -math.inf
    for start, end in sorted(intervals):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered

import copy
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.targets import check_targets

METRICS = {
    "scalar": {"accuracy": 0.87, "auc": 0.9412, "log_loss": 0.3101},
    "vector": {"accuracy": 0.8656, "auc": 0.94, "log_loss": 0.32},
}
NODES = [("ImdbExampleGen", 10.0, 800), ("Transform", 30.5, 1500), ("Trainer.scalar", 40.0, 2000), ("Pusher", 0.5, 900)]

RUN_JSON: dict[str, Any] = {
    "run_id": "2026-01-02T03:04:05.000001",
    "seconds": 81.5,
    "settings": {"transform.max_tokens": 200},
    "nodes": [
        {"node": node, "state": "COMPLETE", "seconds": seconds, "peak_megabytes": peak} for node, seconds, peak in NODES
    ],
    "ingest": {
        "rows_read": 50_000,
        "examples": {
            "train": {"negative": 12_500, "positive": 12_499},
            "test": {"negative": 12_500, "positive": 12_500},
        },
        "rejected": {"no_text": 1},
        "duplicates": {"train": 96, "test": 199, "training": 96},
        "leaks": 123,
        "dropped": {"train": 0, "test": 0},
    },
    "selection": {"winner": "scalar", "reason": "no difference shown", "metrics": METRICS},
    "champion": {"blessed": True},
    "pushed": {"pushed": True, "path": "models/1", "version": "1"},
}


def _script(scalar: float, vector: float) -> dict[str, Any]:
    def epochs(last: float) -> list[dict[str, float]]:
        first = {"accuracy": 0.86, "auc": 0.93, "log_loss": 0.33, "training_seconds": 40.0, "scoring_seconds": 10.0}
        return [first, {**first, "accuracy": last}]

    return {
        "modes": {"scalar": {"epochs": epochs(scalar)}, "vector": {"epochs": epochs(vector)}},
        "seconds": {
            "start_up": 6.0,
            "read_and_encode": 16.0,
            "scoring": 40.0,
            "total": 225.0,
            "training": 160.0,
            "without_training": 65.0,
            "cpu": 300.0,
            "cpu_of_others": 2.0,
        },
        "peak_gigabytes": 1.25,
    }


@pytest.fixture
def run_json() -> dict[str, Any]:
    return copy.deepcopy(RUN_JSON)


@pytest.fixture
def record() -> dict[str, Any]:
    """A benchmark of the whole data: the script, and preset `blog` on a quiet machine."""
    run = {key: copy.deepcopy(RUN_JSON[key]) for key in ("ingest", "selection", "champion", "settings")}
    run |= {
        "nodes": [
            {"node": node, "state": "COMPLETE", "seconds": seconds, "peak_gigabytes": peak / 1000}
            for node, seconds, peak in NODES
        ],
        "pushed": True,
        "seconds": {
            "total": 112.5,
            "start_up": 6.5,
            "training": 40.0,
            "without_training": 72.5,
            "cpu": 150.0,
            "cpu_of_others": 1.0,
        },
        "peak_gigabytes": 2.0,
        "vocabulary": {
            "words": 9996,
            "distinct": 9996,
            "first": ["the", "and", "a"],
            "unknown_share": 0.0123,
            "shared_with_script": 9996,
            "same_as_script": True,
        },
    }
    script = _script(scalar=0.868, vector=0.88)
    return {
        "command": "python -m benchmarks --data aclImdb_v1.tar.gz --presets blog --seed 1",
        "date": "2026-01-02T03:04:05+00:00",
        "seed": 1,
        "machine": {
            "cpu": "Some CPU",
            "cores": 2,
            "memory_gigabytes": 8.0,
            "gpu": None,
            "system": "Linux",
            "python": "3.10.13",
            "versions": {"tensorflow": "2.16.2", "tfx": "1.16.0"},
        },
        "load": {"average": [0.1, 0.2, 0.3], "busy": False},
        "data": {"name": "aclImdb_v1.tar.gz", "train": 25_000, "test": 25_000},
        "script": script,
        "pipelines": {"blog": run},
        "targets": check_targets(script, {"blog": run}),
    }


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[dict[str, str]], str]:
    """Writes a .tar.gz of the given members."""

    def write(members: dict[str, str]) -> str:
        path = tmp_path / "reviews.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, text in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
        return str(path)

    return write

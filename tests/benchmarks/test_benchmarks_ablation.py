"""The comparison of runs with and without a setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import ablation, pipeline_run
from benchmarks.ablation import Ablation, compare, markdown
from imdb_core.errors import RunError
from pipeline.study import predictions

RIGHT = {"default": [1, 1, 1, 0, 1, 1, 1, 1], "changed": [1, 0, 0, 1, 1, 1, 1, 1]}


def read(folders: list[Path]) -> predictions.PresetPredictions:
    """Stands for two runs of eight positive reviews, by the folder's name."""
    name = folders[0].name
    ids = np.array([b"%d" % number for number in range(8)], object)
    positive = np.array([[0.9 if right else 0.1 for right in RIGHT[name.removesuffix("-other")]]])
    labels = np.ones(8, bool) if name in RIGHT else np.zeros(8, bool)
    return predictions.PresetPredictions(ids, labels, {"scalar": positive, "vector": positive})


@pytest.fixture
def two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "read_preset_predictions", read)
    monkeypatch.setattr(pipeline_run, "only", lambda workspace, _: workspace)


@pytest.mark.usefixtures("two_runs")
def test_models_are_compared_review_by_review() -> None:
    found = compare(Path("default"), Path("changed"))
    assert list(found) == ["scalar", "vector"]
    one = found["scalar"]
    assert one["accuracy"] == {"default": 7 / 8, "changed": 6 / 8}
    counts = [one[name] for name in ("both_right", "only_candidate_right", "only_baseline_right", "both_wrong")]
    assert counts == [5, 2, 1, 0]
    assert (one["difference"], one["mcnemar_p"]) == (1 / 8, 1.0)
    assert one["interval"][0] < 1 / 8 < one["interval"][1]


@pytest.mark.usefixtures("two_runs")
def test_runs_of_other_reviews_are_refused() -> None:
    with pytest.raises(RunError, match="different reviews"):
        compare(Path("default"), Path("changed-other"))


@pytest.mark.usefixtures("two_runs")
def test_a_record_as_markdown() -> None:
    nodes: list[dict[str, Any]] = [{"node": "Transform", "seconds": 30.0}, {"node": "AnomalyGate", "seconds": 0.1}]
    slower = [{**nodes[0], "seconds": 40.0}, nodes[1]]
    wanted = Ablation("transform.normalize", value=False, data="/data/aclImdb_v1.tar.gz")
    record = {
        "ablation": {"setting": "transform.normalize", "value": False, "data": "aclImdb_v1.tar.gz", "seed": 1},
        "command": wanted.command,
        "date": "2026-11-26 12:00:00",
        "machine": {"cpu": "A CPU", "cores": 2, "python": "3.10", "versions": {"tensorflow": "2.16.2"}},
        "modes": compare(Path("default"), Path("changed")),
        "runs": {"default": {"nodes": slower}, "changed": {"nodes": nodes}},
    }
    page = markdown(record)
    assert "python -m benchmarks ablation transform.normalize=false --data aclImdb_v1.tar.gz --seed 1" in page
    assert "| scalar | 0.8750 | 0.7500 | +12.50 (" in page
    assert "| Transform | 40.0 | 30.0 | 1.33 |" in page
    assert "AnomalyGate" not in page

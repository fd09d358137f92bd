"""`imdb-attention compare`, as typed: first, again, and with one seed more."""

import json
import sys
from pathlib import Path

import pytest
from sample_project import Project

pytestmark = pytest.mark.e2e

COMPARE = [sys.executable, "-m", "pipeline.cli", "compare", "--presets", "attention"]


def nodes(seeds: list[int]) -> set[str]:
    return {
        f"{name}.seed{seed}"
        for seed in seeds
        for name in ("Trainer.scalar", "Trainer.vector", "Predictions.scalar", "Predictions")
    }


def test_a_study_is_cached_and_grows_by_what_is_new(tmp_path):
    project = Project(tmp_path).make()

    def compare(seeds: int) -> tuple[dict, str]:
        output = tmp_path / "out" / "study.json"
        command = [*COMPARE, "--seeds", str(seeds), "--output", str(output)]
        done = project.run("training.epochs=1", command=command)
        assert done.returncode == 0, done.stdout + done.stderr
        record = json.loads(output.read_text())
        assert (project.workspace / "studies" / record["name"] / "study.json").read_bytes() == output.read_bytes()
        return record, done.stdout

    first, printed = compare(1)
    attention = first["presets"]["attention"]
    assert nodes([1]) < set(attention["executed"])
    assert "1 of 2 trainings of preset attention done, about " in printed
    assert "attention: " in printed
    assert [(row["mode"], row["seed"], row["epochs"]) for row in attention["trainings"]] == [
        ("scalar", 1, 1),
        ("vector", 1, 1),
    ]
    assert all(Path(row["model"]).is_dir() and row["seconds"] > 0 for row in attention["trainings"])
    assert first["test_reviews"] == 200

    more = compare(2)[0]["presets"]["attention"]
    assert set(more["executed"]) == nodes([2])
    assert [row["accuracy"] for row in more["trainings"][:2]] == [row["accuracy"] for row in attention["trainings"]]
    assert [(row["mode"], row["seed"]) for row in more["trainings"][2:]] == [("scalar", 2), ("vector", 2)]

    again, printed = compare(2)
    assert again["presets"]["attention"]["executed"] == []
    assert "0 of 4 trainings executed" in printed
    for key in ("spread", "modes", "pairs"):
        assert again["presets"]["attention"][key] == more[key]

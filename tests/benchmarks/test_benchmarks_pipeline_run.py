import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.machine import MeasuredProcess
from benchmarks.pipeline_run import check_vocabulary, command, read_run, read_vocabulary
from imdb_core.errors import RunError

STARTED = datetime(2026, 1, 2, 3, 4, 5).timestamp()  # local, as log lines are
PROCESS = MeasuredProcess(STARTED, 90.0, 150.0, 1.0, peak_gigabytes=0.9, exit_code=0)
LOG = """2026-01-02 03:04:11,900 INFO absl: Using deployment config:
 executor_specs {
2026-01-02 03:04:12,250 INFO absl: Component ImdbExampleGen is running.
2026-01-02 03:04:22,250 INFO absl: Component Transform is running.
2026-01-02 03:04:30,000 INFO pipeline.running.runner: Component Trainer.scalar is running.
2026-01-02 03:04:35,000 INFO pipeline.running.runner: Component Trainer.vector is running.
"""


@pytest.fixture
def workspace(tmp_path: Path, run_json: dict[str, Any]) -> Path:
    for name, text in {
        "reports/one/run.json": json.dumps(run_json),
        "logs/run-1.log": LOG,
        "artifacts/Transform/transform_graph/6/transform_fn/assets/vocabulary": "the\nfilm\nit's\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_run_is_read_from_its_record_and_its_log(workspace: Path, run_json: dict[str, Any]) -> None:
    run = read_run(workspace, PROCESS)
    assert run["seconds"] == {
        "total": 90.0,
        "start_up": pytest.approx(7.25),
        "training": 40.0,
        "without_training": 50.0,
        "cpu": 150.0,
        "cpu_of_others": 1.0,
    }
    assert run["peak_gigabytes"] == pytest.approx(2000 * 2**20 / 1e9)
    assert [node["node"] for node in run["nodes"]] == [node["node"] for node in run_json["nodes"]]
    assert run["selection"] == run_json["selection"]
    assert run["pushed"] is True


def test_trainings_side_by_side_count_once(workspace: Path, run_json: dict[str, Any]) -> None:
    run_json["nodes"].append({"node": "Trainer.vector", "state": "COMPLETE", "seconds": 45.0, "peak_megabytes": 1})
    (workspace / "reports/one/run.json").write_text(json.dumps(run_json))
    seconds = read_run(workspace, PROCESS)["seconds"]
    assert (seconds["training"], seconds["without_training"]) == (50.0, 40.0)  # from :30 to :80
    run_json["nodes"][-1]["seconds"] = 1.0
    (workspace / "reports/one/run.json").write_text(json.dumps(run_json))
    assert read_run(workspace, PROCESS)["seconds"]["training"] == 40.0
    log = LOG.replace("Component Trainer.scalar is running.\n", "\n").replace(":35,000", ":55,000")
    (workspace / "logs/run-1.log").write_text(log)
    with pytest.raises(RunError, match=r"does not show when Trainer\.scalar began"):
        read_run(workspace, PROCESS)


def test_a_node_without_figures_is_kept(workspace: Path, run_json: dict[str, Any]) -> None:
    run_json["nodes"][0] |= {"seconds": None, "peak_megabytes": None}
    (workspace / "reports/one/run.json").write_text(json.dumps(run_json))
    assert read_run(workspace, PROCESS)["nodes"][0]["seconds"] is None


def test_a_workspace_without_exactly_one_run_is_refused(workspace: Path) -> None:
    (workspace / "reports/two").mkdir()
    (workspace / "reports/two/run.json").write_text("{}")
    with pytest.raises(RunError, match="has 2 files reports"):
        read_run(workspace, PROCESS)
    with pytest.raises(RunError, match=r"has 0 files artifacts.*fresh workspace"):
        read_vocabulary(workspace / "logs")


def test_a_log_without_the_start_of_the_first_node_is_refused(workspace: Path) -> None:
    (workspace / "logs/run-1.log").write_text("nothing\n")
    with pytest.raises(RunError, match="does not show when ImdbExampleGen began"):
        read_run(workspace, PROCESS)


def test_the_vocabulary_is_compared_with_the_script(workspace: Path) -> None:
    words = read_vocabulary(workspace)
    checks = check_vocabulary(words, ["film", "the", "and"], 0.25)
    assert checks == {
        "words": 3,
        "distinct": 3,
        "first": ["the", "film", "it's"],
        "unknown_share": 0.25,
        "shared_with_script": 2,
        "same_as_script": False,
    }
    assert check_vocabulary(words, words, 0.0)["same_as_script"] is True
    assert check_vocabulary(words, None, 0.0)["same_as_script"] is None


def test_the_settings_reach_the_pipeline(tmp_path: Path) -> None:
    settings = {"preset": "blog", "data.source": 'odd "path" = 1.csv', "training.seed": 7}
    options = command(settings)[5:]
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("imdb-attention")), "config", "show", "--json", *options],
        env={name: value for name, value in os.environ.items() if not name.startswith("IMDB_")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    values = json.loads(shown.stdout)
    assert {key: values[key]["value"] for key in settings} == settings

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import figures
from benchmarks.__main__ import main
from benchmarks.comparison import Benchmark
from benchmarks.results import markdown
from benchmarks.targets import check_targets
from imdb_core.errors import SettingsError


def test_targets_are_checked_against_what_was_measured(record: dict[str, Any]) -> None:
    met = {target["target"]: target["met"] for target in record["targets"]}
    assert met == {
        "everything but training": True,
        "Transform": True,
        "start-up": True,
        "peak memory": True,
        "accuracy, scalar, against the script": True,  # +0.20 points
        "accuracy, vector, against the script": False,  # -1.44 points
    }
    attention = copy.deepcopy(record["pipelines"]["blog"])
    attention["seconds"] |= {"start_up": 8.0, "without_training": 90.5}
    attention["peak_gigabytes"] = 2.6
    attention["nodes"][1]["seconds"] = None
    attention["selection"]["metrics"]["scalar"]["accuracy"] = 0.875
    met = {target["target"]: target["met"] for target in check_targets(None, {"attention": attention})}
    assert met == {
        "everything but training": False,
        "Transform": False,
        "start-up": False,
        "peak memory": False,
        "accuracy, scalar": True,
        "accuracy, vector": False,
    }


def test_the_page_holds_every_figure(record: dict[str, Any]) -> None:
    page = markdown([record]).split("\n")
    for line in (
        "python -m benchmarks --data aclImdb_v1.tar.gz --presets blog --seed 1",
        "- 25,000 training and 25,000 test reviews, seed 1.",
        "- Some CPU, 2 cores, 8 GB, no GPU, Linux; load before the start 0.10 0.20 0.30.",
        "| script, scalar | 0.8680 | 0.9300 | 0.3300 | - | 0.8600, 0.8680 |",
        "| blog, scalar (winner) | 0.8700 | 0.9412 | 0.3101 | +0.20 | - |",
        "| blog, vector | 0.8656 | 0.9400 | 0.3200 | -1.44 | - |",
        "Preset `blog` chose scalar, pushed: no difference shown.",
        "| blog: accuracy, vector, against the script | within 1 point | -1.44 points | NOT MET |",
        "| total, s | 225.0 | 112.5 |",
        "| reading and encoding, s | 16.0 | - |",
        "| total, ratio to the script | 1.00 | 0.50 |",
        "| everything but training, ratio to the script | 1.00 | 1.12 |",
        "| peak memory, GB | 1.25 | 2.00 |",
        "| Transform | 30.5 | 1.50 |",
        "| examples in `train` | 24,999 |",
        "| texts in both (leaks) | 123 |",
        "| token ids, the four special ones included | 10,000 |",
        "| most frequent words | the and a |",
        "| test tokens out of vocabulary | 1.23% |",
        "| equal to the script's, order included | yes |",
    ):
        assert line in page
    assert not any(line.startswith("- **") for line in page)


def test_says_why_figures_may_mean_little(record: dict[str, Any]) -> None:
    record["load"] = {"average": [3.5, 1.0, 1.0], "busy": True}
    record["pipelines"]["blog"]["seconds"]["cpu_of_others"] = 45.0  # of 2 x 112.5
    record["data"]["test"] = 500
    busy, disturbed, other_data = figures.warnings(record)
    assert "load 3.50 on 2 cores" in busy
    assert disturbed == "Other processes took 20% of the CPU time while `blog` ran."
    assert "these are 25,500" in other_data


def test_several_seeds_get_a_mean(record: dict[str, Any]) -> None:
    other = copy.deepcopy(record)
    other["seed"] = 2
    other["script"]["modes"]["scalar"]["epochs"][-1]["accuracy"] = 0.85
    page = markdown([record, other]).split("\n")
    assert "| script, scalar | 0.8680 | 0.8500 | 0.8590 |  |" in page
    assert "| blog, scalar | 0.8700 | 0.8700 | 0.8700 | +1.10 |" in page
    assert "over 2 seeds" not in markdown([record, record])


def test_a_run_without_the_script_is_rendered_too(record: dict[str, Any]) -> None:
    record["script"] = None
    checks = record["pipelines"]["blog"]["vocabulary"]
    checks |= {"shared_with_script": None, "same_as_script": None}
    page = markdown([record])
    assert "| blog, scalar (winner) | 0.8700 | 0.9412 | 0.3101 | - | - |" in page
    assert "ratio" not in page


def test_the_command_renders_records(record: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "benchmark.json"
    file.write_text(json.dumps(record))
    rendered = CliRunner().invoke(main, ["results", str(file)])
    assert rendered.exit_code == 0
    assert rendered.output == markdown([record])
    file.write_text("{}")
    refused = CliRunner().invoke(main, ["results", str(file)])
    assert refused.exit_code == 2
    assert "is no record of a benchmark" in refused.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--presets", "blog,bolg"], "'bolg': expected some of attention, blog"),
        (["--presets", ","], "expected some of attention, blog"),
        (["--data", "nowhere.tar.gz"], "'nowhere.tar.gz': no such file; expected `sample`"),
        (["--limit", "1"], "expected 2 at least"),
        (["--workspace", str(Path(__file__).parent)], "not an empty folder"),
    ],
)
def test_the_command_refuses_what_cannot_be_compared(options: list[str], message: str) -> None:
    refused = CliRunner().invoke(main, options)
    assert refused.exit_code == SettingsError.exit_code
    assert message in refused.output


def test_the_command_in_the_record_names_no_folder(tmp_path: Path) -> None:
    archive = tmp_path / "aclImdb_v1.tar.gz"
    archive.touch()
    benchmark = Benchmark(str(archive), ["blog", "attention"], tmp_path / "new", script=False, seed=2, limit=100)
    assert benchmark.command == (
        "python -m benchmarks --data aclImdb_v1.tar.gz --presets blog,attention --seed 2 --limit 100 --skip-script"
    )


def test_rendering_as_typed_says_nothing_but_the_results(tmp_path: Path, record: dict[str, Any]) -> None:
    file = tmp_path / "benchmark.json"
    file.write_text(json.dumps(record))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "results", str(file)],
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == markdown([record])
    assert done.stderr == ""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.results import markdown
from imdb_core.errors import SettingsError


def test_the_command_renders_records(record: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "benchmark.json"
    file.write_text(json.dumps(record))
    rendered = CliRunner().invoke(main, ["results", str(file)])
    assert rendered.exit_code == 0
    assert rendered.output == markdown([record])
    file.write_text("{}")
    refused = CliRunner().invoke(main, ["results", str(file)])
    assert refused.exit_code == 2
    assert "is not the record of a benchmark" in refused.output


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
def test_a_wrong_call_is_refused(options: list[str], message: str) -> None:
    refused = CliRunner().invoke(main, options)
    assert refused.exit_code == SettingsError.exit_code
    assert message in refused.output


def test_rendering_prints_only_the_results(tmp_path: Path, record: dict[str, Any]) -> None:
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

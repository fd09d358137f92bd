import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_runs import FAILED, PUSHED, VERSION

from imdb_core.workspace import WORKSPACE_VARIABLE
from pipeline.cli import main
from pipeline.settings import CONFIG_VARIABLE, SET_VARIABLE, flatten, load_settings

COMMAND = Path(sys.executable).with_name("imdb-attention")


@pytest.fixture
def call(tmp_path, monkeypatch):
    for name in (CONFIG_VARIABLE, SET_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return invoke


def test_version_shows_the_project_and_what_it_runs_on(call):
    result = call("--version")
    assert result.exit_code == 0
    project, others = result.stdout.splitlines()
    assert project == f"imdb-attention {metadata.version('imdb-attention')}"
    assert [name.split()[0] for name in others.split(", ")] == ["Python", "tensorflow", "keras", "tfx", "apache-beam"]
    assert f"Python {platform.python_version()}, tensorflow {metadata.version('tensorflow')}, " in others


def test_config_show_prints_each_value_with_its_origin(call):
    result = call("config", "show", "--set", "preset=blog", "--set", "training.seed=7")
    assert result.exit_code == 0
    lines = [tuple(part.strip() for part in line.split("#")) for line in result.stdout.splitlines()]
    assert ("training.seed = 7", "--set") in lines
    assert ('model.pooling = "flatten"', "preset blog") in lines
    assert ("training.batch_size = 64", "preset blog") in lines
    assert ("model.mask = false", "preset blog") in lines
    assert ('data.format = "auto"', "default") in lines
    assert len(lines) == len(flatten(load_settings().config))


def test_what_config_show_prints_is_a_settings_file(call, tmp_path):
    wanted = ("preset=blog", "training.epochs=9", 'data.source=ünï "quoted" \\ 🎬', "training.learning_rate=1e-7")
    shown = call("config", "show", *(part for text in wanted for part in ("--set", text))).stdout
    (tmp_path / "again.toml").write_text(shown, encoding="utf-8")
    assert load_settings(tmp_path / "again.toml").config == load_settings(None, wanted).config


def test_config_show_prints_json(call, tmp_path):
    (tmp_path / "mine.toml").write_text("[training]\nepochs = 5\n")
    result = call("config", "show", "--json", "--config", "mine.toml", "--set", "data.shards=2")
    shown = json.loads(result.stdout)
    assert shown["training.epochs"] == {"value": 5, "from": str(tmp_path / "mine.toml")}
    assert shown["data.shards"] == {"value": 2, "from": "--set"}
    assert shown["data.positive_labels"] == {"value": ["1", "pos", "positive", "true", "yes"], "from": "default"}


def test_config_show_reads_the_same_environment_as_a_run(call, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text("[training]\nepochs = 5\n")
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "mine.toml"))
    monkeypatch.setenv(SET_VARIABLE, '["training.seed=7"]')
    shown = json.loads(call("config", "show", "--json").stdout)
    assert (shown["training.epochs"]["value"], shown["training.seed"]["value"]) == (5, 7)
    # An option replaces the variable that `run` would set in its place.
    shown = json.loads(call("config", "show", "--json", "--set", "training.seed=8").stdout)
    assert (shown["training.epochs"]["value"], shown["training.seed"]["value"]) == (5, 8)


@pytest.mark.parametrize(
    "assignment", ["training.epoch=3", "training.epochs=0", "model.pooling=flatten", "epochs=3", "preset=[]"]
)
def test_a_wrong_setting_ends_with_2_and_one_line(call, assignment):
    result = call("config", "show", "--set", assignment)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")


def test_wrong_options_end_with_2_and_no_traceback(call):
    for arguments in (["config", "show", "--config", "nowhere.toml"], ["config", "sow"], ["--verbos"], ["run", "x"]):
        result = call(*arguments)
        assert result.exit_code == 2
        assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_run_takes_the_options_of_tfx_run_create_but_not_the_pipeline(call):
    text = call("run", "--help").stdout
    assert all(option in text for option in ("--config", "--set SECTION.KEY=VALUE", "--verbose"))
    assert "--pipeline " not in text


@pytest.fixture
def past(call, made, monkeypatch):
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(made.workspace))
    made.pushed_run(explained=False)
    made.failed_run()
    return call


def test_runs_are_listed_with_outcome_and_accuracy(past):
    result = past("runs")
    assert result.exit_code == 0
    header, failed, pushed = result.stdout.splitlines()[:3]
    assert header.split()[:5] == ["run", "outcome", "winner", "scalar", "vector"]
    assert failed.startswith(FAILED)
    assert pushed.split()[:5] == [PUSHED, "pushed", "scalar", "0.8100", "0.8000"]
    assert [told["outcome"] for told in json.loads(past("runs", "--json").stdout)] == ["failed", "pushed"]


def test_lineage_leads_from_a_version_to_its_source(past):
    assert "source sample" in past("lineage", VERSION).stdout
    assert json.loads(past("lineage", VERSION, "--json").stdout)["type"] == "PushedModel"
    unknown = past("lineage", "3")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert unknown.stderr == f"error: no run pushed a version '3'; known are {VERSION}\n"


def test_report_writes_the_page_of_a_run_and_prints_its_path(past, made):
    page = made.workspace / "reports" / PUSHED.replace(":", "-") / "index.html"
    assert past("report", PUSHED, "--no-open").stdout == f"{page}\n"
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "error: no run 'x'" in past("report", "x", "--no-open").stderr


@pytest.mark.parametrize("arguments", [["runs"], ["lineage", "3"], ["report", "--no-open"]])
def test_commands_do_not_change_a_workspace_without_runs(call, monkeypatch, tmp_path, arguments):
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(tmp_path / "empty"))
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: no run yet in {tmp_path / 'empty'}; make one with")
    assert not (tmp_path / "empty").exists()


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_imports_nothing_heavy():
    code = "import sys; from pipeline.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    result = run_command(sys.executable, "-c", code)
    assert "Movie reviews in" in result.stdout
    imported = set(result.stdout.splitlines()[-1].split())
    heavy = {"tensorflow", "tfx", "apache_beam", "pydantic", "keras", "numpy", "scipy", "absl", "ml_metadata", "rich"}
    assert "click" in imported
    assert not imported & heavy
    assert len(imported) < 400


def test_the_installed_command_prints_its_help():
    result = run_command(str(COMMAND), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage: imdb-attention" in result.stdout
    assert "config" in result.stdout


def test_the_installed_command_refuses_in_one_line():
    result = run_command(str(COMMAND), "config", "show", **{SET_VARIABLE: '["training.epoch=3"]', CONFIG_VARIABLE: ""})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: unknown setting 'training.epoch'")
    assert len(result.stderr.splitlines()) == 1

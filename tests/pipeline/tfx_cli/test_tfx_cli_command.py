import importlib.metadata
import json
import os
import shutil
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pipeline.tfx_cli import command

pytestmark = pytest.mark.slow

TINY_RUNNER = Path(__file__).with_name("tiny_runner.py")


@pytest.fixture(scope="module")
def tfx_group() -> click.Group:
    """The function that the `tfx` script calls, with our extension."""
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="tfx")
    group: click.Group = script.load()
    command.extend(sys.modules["tfx.tools.cli.commands.run"])
    return group


@pytest.fixture
def tfx(tfx_group, tmp_path, monkeypatch):
    """Calls `tfx` in an empty folder, with a registry and environment variables for the test alone."""
    for name in (command.CONFIG_VARIABLE, command.SET_VARIABLE):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(tfx_group, arguments)

    return call


@pytest.fixture
def tiny(tmp_path) -> Path:
    folder = tmp_path / "pipeline"
    folder.mkdir()
    shutil.copy(TINY_RUNNER, folder / "local_runner.py")
    return folder


def reports(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "reports.jsonl").read_text().splitlines()]


def registered(home: Path) -> dict[str, str]:
    return json.loads((home / "tfx" / "local" / "tiny" / "pipeline_args.json").read_text())


def test_the_first_run_creates_the_pipeline_and_the_second_updates_it(tfx, tiny, tmp_path):
    first = tfx("run", "create", "--pipeline", "pipeline/")
    assert first.exit_code == 0, first.output
    assert 'Pipeline "tiny" created successfully.' in first.output
    assert registered(tmp_path / "home") == {
        "pipeline_name": "tiny",
        "pipeline_root": str(tiny / "root"),
        "pipeline_dsl_path": str(tiny / "local_runner.py"),
    }

    second = tfx("run", "create", "--pipeline", "pipeline/local_runner.py", "--engine", "local")
    assert second.exit_code == 0, second.output
    assert 'Pipeline "tiny" updated successfully.' in second.output

    plain = {"arguments": [str(tiny / "local_runner.py")], "config": None, "set": None}
    assert [{key: report[key] for key in plain} for report in reports(tiny)] == [plain, plain]
    assert "tiny" in tfx("pipeline", "list", "--engine", "local").output.splitlines()


def test_settings_reach_the_pipeline_in_the_order_typed(tfx, tiny, tmp_path):
    (tmp_path / "mine.toml").write_text("[training]\nepochs = 2\n")
    result = tfx(
        *("run", "create", "--pipeline", "pipeline", "--set", "training.epochs=3"),
        *("--config", "mine.toml", "--set", 'data.source="a=b c"'),
    )
    assert result.exit_code == 0, result.output
    (report,) = reports(tiny)
    assert report["config"] == str(tmp_path / "mine.toml")
    assert json.loads(report["set"]) == ["training.epochs=3", 'data.source="a=b c"']


def test_a_run_restores_the_arguments_and_the_module_path(tfx, tiny):
    before = (sys.argv, list(sys.path), sys.modules["__main__"])
    tfx("run", "create", "--pipeline", "pipeline")
    assert (sys.argv, sys.path, sys.modules["__main__"]) == before


def test_a_failing_node_fails_the_command_and_shows_only_the_users_frames(tfx, tiny, monkeypatch):
    monkeypatch.setenv("TINY_FAILS", "node")
    result = tfx("run", "create", "--pipeline", "pipeline")
    assert result.exit_code == 1
    assert "ValueError: the node fails" in result.output
    trace = result.output.partition("Traceback (most recent call last):\n")[2]
    assert trace.lstrip().startswith(f'File "{tiny / "local_runner.py"}"')
    assert "click" not in trace


def test_the_command_exits_with_the_status_of_the_pipeline(tfx, tiny, monkeypatch):
    monkeypatch.setenv("TINY_FAILS", "status")
    assert tfx("run", "create", "--pipeline", "pipeline").exit_code == 3


def test_a_file_that_runs_no_pipeline_is_refused(tfx, tmp_path):
    (tmp_path / "idle.py").write_text("print('idle')\n")
    result = tfx("run", "create", "--pipeline", "idle.py")
    assert result.exit_code == 1
    assert f"Error: {tmp_path / 'idle.py'} ran no pipeline" in result.output


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nowhere/", "no such file or folder"),
        ("empty", "the folder holds no local_runner.py"),
        ("notes.txt", "not a Python file"),
    ],
)
def test_a_path_without_a_pipeline_is_refused_in_one_line(tfx, tmp_path, path, problem):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    result = tfx("run", "create", "--pipeline", path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "CLI",
        f"Error: --pipeline {path}: {problem}; expected a .py file, or a folder that holds local_runner.py.",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--set", "a.b=1"], "--set needs --pipeline."),
        (["--config", "mine.toml", "--pipeline_name", "x"], "--config needs --pipeline."),
        (["--pipeline", ".", "--pipeline_name", "x"], "--pipeline cannot be combined with --pipeline_name"),
        (["--pipeline", ".", "--engine", "vertex"], "--pipeline cannot be combined with --engine"),
        (["--pipeline", ".", "--runtime_parameter", "a=1"], "--pipeline cannot be combined with --runtime_parameter"),
        (["--pipeline", ".", "--set", "epochs"], "'epochs'; expected SECTION.KEY=VALUE"),
        (["--pipeline", ".", "--config", "lost.toml"], "File 'lost.toml' does not exist."),
        ([], "Missing option '--pipeline_name' / '--pipeline-name'."),
    ],
)
def test_options_that_contradict_are_refused(tfx, tmp_path, arguments, problem):
    (tmp_path / "mine.toml").touch()
    result = tfx("run", "create", *arguments)
    assert result.exit_code == 2
    assert problem in result.output
    assert not (tmp_path / "home").exists()


def test_help_shows_our_options_and_those_of_tfx(tfx):
    text = tfx("run", "create", "--help").output
    assert all(
        option in text for option in ("--pipeline PATH", "--config FILE", "--set SECTION.KEY=VALUE", "--pipeline_name")
    )


def test_extending_twice_changes_nothing(tfx_group):
    commands = sys.modules["tfx.tools.cli.commands.run"]
    before = (list(commands.create_run.params), commands.create_run.callback)
    command.extend(commands)
    assert (commands.create_run.params, commands.create_run.callback) == before


def test_tfxs_own_two_commands_still_work(tfx, tiny, tmp_path):
    created = tfx("pipeline", "create", "--engine", "local", "--pipeline_path", "pipeline/local_runner.py")
    assert created.exit_code == 0, created.output
    assert not (tiny / "reports.jsonl").exists()
    assert registered(tmp_path / "home")["pipeline_dsl_path"] == "pipeline/local_runner.py"

    run = tfx("run", "create", "--engine", "local", "--pipeline_name", "tiny")
    assert run.exit_code == 0, run.output
    assert "Creating a run for pipeline: tiny" in run.output
    assert len(reports(tiny)) == 1

    unknown = tfx("run", "create", "--engine", "local", "--pipeline_name", "other")
    assert unknown.exit_code == 1
    assert 'Pipeline "other" does not exist.' in unknown.output

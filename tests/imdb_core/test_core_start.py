"""Tests of the start, in real processes under hostile environments."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imdb_core import start

COMMAND = str(Path(sys.executable).with_name("imdb-attention"))
CONFIG = [COMMAND, "config", "show"]


def run(*command: str, **options) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **options.pop("environ", {})}
    environ = {name: value for name, value in environ.items() if value is not None}
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, env=environ, **options
    )


@pytest.fixture
def foreign(tmp_path) -> Path:
    """A folder with packages of others that have the names of ours."""
    for name in (*start.PACKAGES, "schemas", "benchmarks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a package of others')")
    return tmp_path


def test_packages_of_others_on_the_path_or_in_the_folder_do_not_replace_ours(foreign):
    for options in ({"cwd": foreign}, {"environ": {"PYTHONPATH": str(foreign)}}):
        done = run(*CONFIG, **options)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith('preset = "attention"')


def test_a_package_of_others_that_is_already_imported_is_replaced(foreign):
    (foreign / "serving" / "__init__.py").write_text("")
    code = (
        f"import sys; sys.path.insert(0, {str(foreign)!r}); import serving\n"
        "from _imdb_attention_start import use_own_packages\n"
        f"use_own_packages({str(Path(start.__file__).parents[1])!r}); import serving.names; print(serving.__file__)"
    )
    done = run(sys.executable, "-c", code)
    assert (done.stdout.strip(), done.stderr) == (str(Path(start.__file__).parents[1] / "serving" / "__init__.py"), "")


def test_modules_of_ours_start_in_folders_of_others(foreign):
    command = start.module_command("serving.server", "--help")
    for options in ({"cwd": foreign}, {"environ": {"PYTHONPATH": str(foreign)}}):
        done = run(*command, **options)
        assert done.returncode == 0, done.stderr
        assert "python -m serving.server" in done.stdout


def test_a_prepared_process_collects_garbage_rarely_and_still_does():
    code = (
        "import gc; from imdb_core import start; older = gc.get_threshold()[1:]; start.prepare()\n"
        "def waste():\n    cycle = []; cycle.append(cycle)\n"
        "seen = []; gc.callbacks.append(lambda phase, info: seen.append(phase))\n"
        "for _ in range(50_000): waste()\n"
        "few = len(seen)\n"
        "for _ in range(150_000): waste()\n"
        "print(few, len(seen) > few, len(gc.get_objects()) < 150_000, gc.get_threshold()[1:] == older)"
    )
    assert run(sys.executable, "-c", code).stdout.split() == ["0", "True", "True", "True"]


def test_an_installation_without_the_packages_says_so(tmp_path):
    (tmp_path / "_imdb_attention_start.py").write_bytes(Path(start.__file__).read_bytes())
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; sys.path[1:] = sys.path[1:]\n"
    done = run(sys.executable, "-I", "-S", "-c", code + "import _imdb_attention_start as start; start.main()")
    assert done.returncode == 1
    assert "install the project again" in done.stderr
    assert "Traceback" not in done.stderr


KERAS = "import keras; print(keras.backend.backend(), keras.config.floatx(), keras.config.epsilon())"


@pytest.mark.parametrize("content", ['{"backend": "jax", "floatx": "float16", "epsilon": 0.1}', "{", "", None])
def test_keras_uses_tensorflow_and_its_defaults_whatever_the_user_has_set(tmp_path, content):
    folder = tmp_path / ".keras"
    folder.mkdir()
    if content is not None:
        (folder / "keras.json").write_text(content)
    environ = {"KERAS_BACKEND": "torch", "KERAS_HOME": str(folder), "HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = run(sys.executable, "-c", f"import components.network.model; {KERAS}", environ=environ)
    assert done.stdout == "tensorflow float32 1e-07\n", done.stderr


def test_settings_that_are_ignored_are_said_once(tmp_path):
    assert start.pin_keras({}) == []
    (tmp_path / "keras.json").write_text("{}")
    environ = {"KERAS_BACKEND": "torch", "KERAS_HOME": str(tmp_path)}
    backend, home = start.pin_keras(environ)
    assert backend == "KERAS_BACKEND=torch is ignored: the models here are TensorFlow's"
    assert home.startswith(f"KERAS_HOME={tmp_path} is ignored")
    assert start.pin_keras(environ) == []
    assert start.pin_keras({"KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(tmp_path / "empty")}) == []


POSIX = {"LC_ALL": "POSIX", "LANG": None, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    "environ",
    [
        POSIX,
        {**POSIX, "PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"TERM": "dumb", "COLUMNS": "1"},
        {"TERM": None, "NO_COLOR": "1", "COLUMNS": "wide"},
        {"HOME": None},
        {"HOME": "/proc"},
        {"HOME": "/nowhere/at all"},
        {"TMPDIR": "/nowhere"},
        {"PYTHONOPTIMIZE": "2"},
        {"PYTHONWARNINGS": "ignore"},
    ],
    ids=str,
)
def test_commands_answer_in_any_environment(tmp_path, environ):
    config = tmp_path / "ä — [b].toml"
    config.write_text("\ufeff[training]\r\nepochs = 7\r\n", encoding="utf-8")
    for command in ([*CONFIG, "--config", str(config)], [COMMAND, "predict", "--help"]):
        done = run(*command, environ=environ, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    shown = run(*CONFIG, "--config", str(config), environ=environ).stdout
    assert re.search(r"^training\.epochs = 7 +# ", shown, re.MULTILINE)


def test_tilde_is_the_home_folder_where_no_shell_expands_it(tmp_path):
    (tmp_path / "my.toml").write_text("[training]\nepochs = 7\n")
    environ = {"HOME": str(tmp_path)}
    assert "training.epochs = 7 " in run(*CONFIG, "--config=~/my.toml", environ=environ).stdout
    assert "training.epochs = 7 " in run(*CONFIG, environ={**environ, "IMDB_CONFIG": "~/my.toml"}).stdout
    done = run(COMMAND, "runs", environ={**environ, "IMDB_WORKSPACE": "~/my workspace"})
    assert (done.returncode, done.stderr.startswith(f"error: no run yet in {tmp_path}/my workspace; ")) == (1, True)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_obstacle(closed):
    done = run("sh", "-c", f'"{COMMAND}" config show {closed}')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('preset = "attention"') is (">&-" not in closed.replace("2>&-", ""))


def test_a_workspace_without_a_place_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'cd "{gone}" && rmdir "{gone}" && "{COMMAND}" runs'
    for environ in ({"IMDB_WORKSPACE": None}, {"IMDB_WORKSPACE": "~nobody-has-this-name/x"}):
        gone.mkdir(exist_ok=True)
        done = run("sh", "-c", command, environ=environ)
        assert done.returncode == 2
        assert "has no place" in done.stderr
        assert len(done.stderr.splitlines()) == 1

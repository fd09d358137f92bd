"""Tests of the hook, each in a new interpreter that has stubs in place of TFX and the extension."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[3] / "pipeline" / "tfx_cli" / "hook.py"
START = "import _imdb_attention_tfx as hook; hook.install(); hook.install(); import sys\n"


@pytest.fixture
def site(tmp_path) -> Path:
    """A stub of site-packages: the installed hook, TFX's module, and an extension that leaves a mark."""
    commands = tmp_path / "tfx" / "tools" / "cli" / "commands"
    commands.mkdir(parents=True)
    (commands / "run.py").write_text("loaded = []\n")
    (tmp_path / "pipeline" / "tfx_cli").mkdir(parents=True)
    (tmp_path / "pipeline" / "tfx_cli" / "command.py").write_text(
        "def extend(commands): commands.loaded.append('extended')\n"
    )
    (tmp_path / "_imdb_attention_tfx.py").write_bytes(HOOK.read_bytes())
    return tmp_path


def start(site: Path, code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    paths = f"import sys; sys.path[:0] = {[str(folder) for folder in (*folders, site)]!r}\n"
    command = [sys.executable, "-I", "-S", "-c", paths + START + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_tfxs_command_is_extended_once_when_it_is_loaded(site):
    result = start(
        site,
        "assert sum(type(finder).__name__ == 'CommandFinder' for finder in sys.meta_path) == 1\n"
        "from tfx.tools.cli.commands import run\n"
        "print(run.loaded, run.__spec__.loader.get_source(run.__name__).strip())",
    )
    assert (result.stdout, result.stderr) == ("['extended'] loaded = []\n", "")


def test_the_hook_imports_no_further_modules_into_other_programs(site):
    result = start(site, "print([name for name in ('importlib.util', 'typing', 'pipeline') if name in sys.modules])")
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_another_package_named_pipeline_stays_importable(site, tmp_path):
    theirs = tmp_path / "theirs"
    (theirs / "pipeline").mkdir(parents=True)
    (theirs / "pipeline" / "__init__.py").write_text("owner = 'they'\n")
    result = start(
        site,
        "from tfx.tools.cli.commands import run; import pipeline; print(run.loaded, pipeline.owner)",
        theirs,
    )
    assert (result.stdout, result.stderr) == ("['extended'] they\n", "")


def test_without_the_extension_tfx_is_unchanged(site):
    (site / "pipeline" / "tfx_cli" / "command.py").unlink()
    result = start(site, "from tfx.tools.cli.commands import run; print(run.loaded)")
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_an_extension_that_fails_is_reported_and_leaves_tfx_working(site):
    (site / "pipeline" / "tfx_cli" / "command.py").write_text("raise TypeError('TFX changed')\n")
    result = start(site, "from tfx.tools.cli.commands import run; print(run.loaded)")
    assert result.stdout == "[]\n"
    assert result.stderr == "imdb-attention: cannot add --pipeline to `tfx run create`: TypeError('TFX changed')\n"


def test_without_tfx_the_import_fails_with_pythons_own_error(site):
    (site / "tfx" / "tools" / "cli" / "commands" / "run.py").unlink()
    result = start(site, "import tfx.tools.cli.commands.run")
    assert result.returncode == 1
    assert result.stderr.endswith("ModuleNotFoundError: No module named 'tfx.tools.cli.commands.run'\n")


def test_an_error_inside_tfx_is_not_hidden(site):
    (site / "tfx" / "tools" / "cli" / "commands" / "run.py").write_text("raise RuntimeError('broken TFX')\n")
    result = start(site, "import tfx.tools.cli.commands.run")
    assert result.returncode == 1
    assert result.stderr.endswith("RuntimeError: broken TFX\n")


def test_an_interrupt_of_tfxs_imports_is_one_line_and_other_errors_keep_their_traceback(site):
    (site / "tfx" / "tools" / "cli" / "__init__.py").write_text("import os\nraise eval(os.environ['RAISED'])\n")
    for raised, status, in_one_line in (("KeyboardInterrupt", -signal.SIGINT, True), ("ValueError", 1, False)):
        result = subprocess.run(
            [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = [{str(site)!r}]\n{START}import tfx.tools.cli"],
            env={"RAISED": raised},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == status
        assert (result.stderr == "stopped by SIGINT\n") is in_one_line, result.stderr

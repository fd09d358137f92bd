import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NO_PYTHON = "error: .venv needs Python 3.10; none was found here"


@pytest.fixture
def scripts(tmp_path):
    """A copy of the scripts, so that the .venv that they make is another."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    if (ROOT / ".tools").exists():
        (tmp_path / ".tools").symlink_to(ROOT / ".tools")
    return tmp_path / "scripts"


def failed_setup(scripts: Path, **environ: str) -> str:
    setup = subprocess.run(
        [scripts / "setup"], env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    assert setup.returncode == 1
    assert not (scripts.parent / ".venv" / ".ready").exists()
    return setup.stderr


def test_without_a_python_it_says_what_to_install(scripts, tmp_path):
    # uv sees no Python but those it brought itself, of which there are none, and may bring none.
    stderr = failed_setup(
        scripts,
        UV_PYTHON_PREFERENCE="only-managed",
        UV_PYTHON_DOWNLOADS="never",
        UV_PYTHON_INSTALL_DIR=str(tmp_path / "pythons"),
    )
    assert stderr.splitlines()[-1].startswith(NO_PYTHON)


def test_what_else_goes_wrong_is_not_blamed_on_python(scripts, tmp_path):
    (tmp_path / ".venv").write_text("in the way")
    python_310 = Path(sys.base_prefix, "bin")
    stderr = failed_setup(scripts, PATH=f"{python_310}{os.pathsep}{os.environ['PATH']}", UV_PYTHON_DOWNLOADS="never")
    assert ".venv" in stderr
    assert NO_PYTHON not in stderr


def test_without_uv_and_without_a_python_to_bring_it_only_that_is_said(scripts, tmp_path):
    (tmp_path / ".tools").unlink(missing_ok=True)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "grep", "cat", "rm"):
        (tools / name).symlink_to(shutil.which(name))
    for name in ("python3", *(f"python3.{minor}" for minor in range(9, 14))):
        (tools / name).symlink_to("/bin/false")
    # The script also tries Debian's own /usr/bin/python3; where that is there, it has no index to fetch uv from.
    stderr = failed_setup(scripts, PATH=str(tools), PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)
    assert NO_PYTHON not in stderr

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from imdb_core.errors import RunError
from imdb_core.temporary import PREFIX, private_temporary_folder, remove_private_folders

CHILD = "import sys, tempfile; open(tempfile.mkdtemp() + '/file', 'w').close(); print(tempfile.gettempdir())"


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_what_this_process_and_its_children_leave_there_is_removed(base):
    with private_temporary_folder() as folder:
        assert folder.parent == base
        assert Path(tempfile.mkstemp()[1]).parent == folder
        done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(folder)
        assert len(list(folder.iterdir())) == 2
    assert list(base.iterdir()) == []
    assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (str(base), str(base))


def test_an_error_removes_it_too(base):
    with pytest.raises(KeyboardInterrupt), private_temporary_folder():
        raise KeyboardInterrupt
    assert list(base.iterdir()) == []


def test_a_variable_that_was_not_set_is_not_set_afterwards(base, monkeypatch):
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    with private_temporary_folder() as folder:
        assert os.environ["TMPDIR"] == str(folder)
    assert "TMPDIR" not in os.environ


def test_folders_of_killed_commands_are_removed_and_those_in_use_stay(base):
    code = (
        "import os, signal; from imdb_core.temporary import private_temporary_folder as private\n"
        "with private(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = base.iterdir()
    assert left.name.startswith(PREFIX)
    with private_temporary_folder() as first:
        assert list(base.iterdir()) == [first]
        code = "from imdb_core.temporary import private_temporary_folder as private\nwith private(): pass"
        environ = {**os.environ, "TMPDIR": str(base)}
        subprocess.run([sys.executable, "-c", code], env=environ, check=True)
        assert list(base.iterdir()) == [first]


def test_all_folders_can_be_removed_at_once(base):
    with private_temporary_folder(), private_temporary_folder():
        remove_private_folders()
        assert list(base.iterdir()) == []


def test_a_temporary_folder_that_cannot_be_made_is_an_error(base, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(base / "missing"))
    with pytest.raises(RunError, match=r"cannot make a temporary folder: .*; set TMPDIR to a folder that can be"):
        private_temporary_folder().__enter__()

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imdb_core.files import write_atomically
from serving.releases.errors import ReleaseError
from serving.releases.lock import exclusive, who


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    for text in ("first\n", "zweite: ä\n"):
        write_atomically(file, text)
        assert text == file.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["models.config"]
    # A server under another user reads it too.
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["models.config"]


def test_a_reader_sees_one_content_or_the_other(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    contents = [json.dumps([letter] * 50_000) for letter in "ab"]
    write_atomically(file, contents[0])
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(100):
        write_atomically(file, contents[turn % 2])
    stop.set()
    reader.join()
    assert seen <= set(contents)


HOLD = """
import pathlib, sys
from serving.releases.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "promote 3"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_is_at_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ReleaseError, match=rf"being changed by `promote 3` of \S+@.* \(process {holder.pid}\)"),
            exclusive(tmp_path, "rollback"),
        ):
            pass
        # Even a process that is killed lets go.
        holder.kill()
        holder.wait()
    with exclusive(tmp_path, "rollback"):
        pass


def test_a_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "promote 1"):
        _ = 1 / 0
    with exclusive(tmp_path, "promote 2"):
        pass


def test_a_user_without_a_name_still_leaves_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert who().startswith("ann@")
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # no such user; a real one would need root
    assert who().startswith("uid 4000000@")

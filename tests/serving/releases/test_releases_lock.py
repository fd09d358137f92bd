from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving.releases.errors import ReleaseError
from serving.releases.lock import exclusive, who

HOLD = """
import pathlib, sys
from serving.releases.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "promote 3"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_error_of_a_second_process_names_the_holder_of_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ReleaseError, match=rf"being changed by `promote 3` of \S+@.* \(process {holder.pid}\)"),
            exclusive(tmp_path, "rollback"),
        ):
            pass
        # The lock of a killed process is released.
        holder.kill()
        holder.wait()
    with exclusive(tmp_path, "rollback"):
        pass


def test_a_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "promote 1"):
        _ = 1 / 0
    with exclusive(tmp_path, "promote 2"):
        pass


def test_a_user_without_a_name_is_recorded_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert who().startswith("ann@")
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # no such user; making a real one requires root
    assert who().startswith("uid 4000000@")

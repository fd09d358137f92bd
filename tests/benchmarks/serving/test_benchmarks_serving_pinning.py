import os
import subprocess
import sys

import pytest

from benchmarks.serving.pinning import Cores, pinned
from imdb_core.errors import RunError

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")


def test_a_process_inherits_the_core_and_this_one_leaves_it():
    before = os.sched_getaffinity(0)
    core = max(before)
    with pinned(core):
        code = "import os; print(os.sched_getaffinity(0))"
        started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert started.stdout == f"{{{core}}}\n"
    assert os.sched_getaffinity(0) == before


def test_server_and_clients_have_the_first_two_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {7, 3, 5})
    assert Cores.first_two() == Cores(server=3, clients=5)


def test_one_core_is_refused(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {4})
    with pytest.raises(RunError, match="found 1 that it may use"):
        Cores.first_two()

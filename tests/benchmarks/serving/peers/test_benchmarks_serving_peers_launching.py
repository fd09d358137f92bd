import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.serving.peers import launching
from benchmarks.serving.peers.launching import PEERS, launched_peer
from imdb_core.errors import RunError

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")

# A program with a child, which it leaves behind, and files.
STAND_IN = """
import os, pathlib, subprocess, sys, tempfile, time
mode, record = sys.argv[1:]
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleep, start_new_session=mode != "fails", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
folder = tempfile.mkdtemp()
pathlib.Path(record).write_text(f"{os.getpid()} {child.pid} {folder} {os.environ.get('PYTHONPATH')}")
print("starting", flush=True)
if mode == "fails":
    sys.exit("no such model")
if mode != "hangs":
    print("Serving http://127.0.0.1:1234", flush=True)
sys.stdin.read()
while mode == "stubborn":
    time.sleep(1)
"""


@pytest.fixture
def core() -> int:
    return max(os.sched_getaffinity(0))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def command(tmp_path: Path, record: Path):
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    return lambda mode: [sys.executable, str(program), mode, str(record)]


def runs(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def assert_nothing_is_left(record: Path) -> None:
    *processes, folder, _ = record.read_text().split()
    until = time.monotonic() + 10  # a killed process takes a moment to end
    while left := [process for process in map(int, processes) if runs(process)]:
        assert time.monotonic() < until, left
        time.sleep(0.05)
    assert not Path(folder).exists()


def test_a_peer_serves_on_its_core_until_the_block_ends(command, record, core, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    before = os.sched_getaffinity(0)
    with launched_peer(command("serves"), core) as peer:
        assert os.sched_getaffinity(0) == before
        assert peer.address == "127.0.0.1:1234"
        family = [peer.process, *peer.process.children(recursive=True)]
        assert [str(process.pid) for process in family] == record.read_text().split()[:2]
        assert [process.cpu_affinity() for process in family] == [[core], [core]]
    assert_nothing_is_left(record)
    assert record.read_text().endswith(" None")


def test_a_peer_that_does_not_end_is_killed(command, record, core, monkeypatch):
    monkeypatch.setattr(launching, "_STOP_SECONDS", 0.5)
    with launched_peer(command("stubborn"), core):
        pass
    assert_nothing_is_left(record)


def test_an_error_in_the_block_stops_the_peer(command, record, core):
    with pytest.raises(ZeroDivisionError), launched_peer(command("serves"), core):
        _ = 1 / 0
    assert_nothing_is_left(record)


def test_a_peer_that_ends_is_quoted_and_leaves_nothing(command, record, core):
    message = r"stand_in\.py ended before it served: no such model"
    with pytest.raises(RunError, match=message), launched_peer(command("fails"), core):
        pytest.fail("it served")
    assert_nothing_is_left(record)


def test_a_peer_that_does_not_serve_in_time_is_stopped(command, record, core):
    message = r"stand_in\.py did not serve within 3 s: it printed nothing"
    with pytest.raises(RunError, match=message), launched_peer(command("hangs"), core, timeout=3.0):
        pytest.fail("it served")
    assert_nothing_is_left(record)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.package)
def test_a_peer_has_a_program_and_locked_requirements(peer, tmp_path):
    python, program, model = peer.command(tmp_path)
    assert Path(program).is_file()
    assert (python, model) == (str(peer.python), str(tmp_path))
    locked = Path(program).with_name(f"{peer.package}.lock").read_text()
    assert f"\n{peer.package}==" in locked
    assert "://" not in locked

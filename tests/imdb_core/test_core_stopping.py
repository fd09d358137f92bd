"""Tests of stopping, most in a process of its own, which gets real signals."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imdb_core.stopping import SIGNALS, Stopped, stopped_by_signals

SLEEPER = """
import os, signal, subprocess, sys, time
from imdb_core.stopping import Stopped, stopped_by_signals
from imdb_core.temporary import private_temporary_folder
{before}
try:
    with stopped_by_signals(grace_seconds=1), private_temporary_folder() as folder:
        child = subprocess.Popen(["sleep", "60"])
        print(child.pid, folder, flush=True)
        {body}
except Stopped as stopped:
    print(stopped, flush=True)
    child.kill()
    sys.exit(stopped.exit_code)
"""


def start(body: str, before: str = "") -> tuple[subprocess.Popen[str], int, Path]:
    code = SLEEPER.format(body=body, before=before)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    pid, folder = process.stdout.readline().split(maxsplit=1)
    return process, int(pid), Path(folder.strip())


def has_ended(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_block_and_its_finally_blocks_run(number):
    process, pid, folder = start("time.sleep(60)")
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (128 + number, f"stopped by {number.name}\n")
    assert has_ended(pid)
    assert not folder.exists()


STUBBORN = "\n".join(
    (
        "while True:",
        "            try: print('on', flush=True); time.sleep(60)",
        "            except BaseException: print('swallowed', flush=True)",
    )
)


def test_a_process_that_swallows_the_signal_ends_all_the_same():
    process, pid, folder = start(STUBBORN)
    assert process.stdout
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (143, "swallowed\non\n")
    assert has_ended(pid)
    assert not folder.exists()


def test_a_second_signal_ends_the_process_at_once():
    process, pid, folder = start(STUBBORN)
    assert process.stdout
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "swallowed\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    process.stdout.close()
    assert has_ended(pid)
    assert not folder.exists()


def test_an_ignored_signal_stays_ignored():
    ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process, _, _ = start("os.kill(os.getpid(), signal.SIGHUP); print('here', flush=True); time.sleep(60)", ignore)
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_the_handlers_are_put_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stopped_by_signals():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_another_thread_leaves_the_signals_alone():
    inside = []

    def enter() -> None:
        with stopped_by_signals():
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert inside == [signal.getsignal(signal.SIGTERM)]


def test_stopped_is_no_exception():
    assert not issubclass(Stopped, Exception)

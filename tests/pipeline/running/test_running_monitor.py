import io
import logging
import re
import subprocess
import sys
import time

import psutil
import pytest

from imdb_core.progress import PROGRESS_LOGGER
from pipeline.running import monitor as monitors
from pipeline.running.monitor import NodeMonitor

progress = logging.getLogger(PROGRESS_LOGGER)
HOLD = "x = bytearray(300 * 2**20); print('ready', flush=True); import time; time.sleep(60)"


@pytest.fixture
def lines():
    """The lines that NodeMonitor reports."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    level = progress.level
    progress.addHandler(handler)
    progress.setLevel(logging.INFO)
    yield stream
    progress.removeHandler(handler)
    progress.setLevel(level)


def test_nodes_side_by_side_are_timed_and_cached_ones_marked(lines):
    ended = []
    monitor = NodeMonitor(ended.append)
    with monitor.measuring():
        monitor.begin("Trainer.scalar")
        monitor.begin("Transform")
        time.sleep(0.05)
        monitor.end("Transform", cached=True)
        time.sleep(0.05)
        monitor.end("Trainer.scalar", cached=False)
    first, second = monitor.usages
    assert (first.node, first.cached, second.node, second.cached) == ("Trainer.scalar", False, "Transform", True)
    assert first.seconds > second.seconds > 0.04
    assert ended == [second, first]
    transform, scalar = lines.getvalue().splitlines()
    assert re.fullmatch(r"Transform +cached", transform)
    assert re.fullmatch(r"Trainer\.scalar +0\.\d s", scalar)


def test_nodes_that_fail_or_do_not_end_are_timed_too(lines):
    ended = []
    monitor = NodeMonitor(ended.append)
    with monitor.measuring():
        monitor.begin("Transform")
        monitor.begin("Broken")
        monitor.fail("Broken")
    assert [usage.seconds > 0 for usage in monitor.usages] == [True, True]
    assert (lines.getvalue(), ended) == ("", [])


def test_the_memory_of_a_node_is_that_of_its_processes():
    monitor = NodeMonitor()
    spawn = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"
    with monitor.measuring(), subprocess.Popen([sys.executable, "-c", spawn], stdout=subprocess.PIPE) as parent:
        monitor.begin("Heavy")
        monitor.begin("Light")
        monitor.watch_process("Heavy", parent.pid)
        assert parent.stdout.readline() == b"ready\n"
        heavy, light = monitor.usages
        wait_until(lambda: heavy.peak_megabytes > 300 and monitor.peak_megabytes > 300)
        for process in (*psutil.Process(parent.pid).children(), parent):
            process.kill()
        monitor.end("Heavy", cached=False)
        monitor.end("Light", cached=False)
    assert heavy.peak_megabytes < 500
    assert light.peak_megabytes == 0


def test_a_process_that_has_ended_is_not_an_error():
    monitor = NodeMonitor()
    with monitor.measuring(), subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        monitor.begin("Short")
        monitor.watch_process("Short", process.pid)
        time.sleep(0.2)
        monitor.end("Short", cached=False)


def test_memory_that_processes_share_counts_once():
    process = psutil.Process()
    assert 0 < monitors._proportional(process) <= monitors._resident(process)


def wait_until(holds) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)

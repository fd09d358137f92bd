import io
import logging
import re
import subprocess
import sys
import time

import pytest

from imdb_core.progress import PROGRESS_LOGGER
from pipeline.running.monitor import NodeMonitor

progress = logging.getLogger(PROGRESS_LOGGER)


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


@pytest.fixture
def absl():
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.INFO)
    yield logger
    logger.setLevel(level)


@pytest.fixture
def monitor(absl):
    monitor = NodeMonitor()
    monitor.start()
    yield monitor
    monitor.stop()


def test_nodes_are_timed_and_cached_ones_marked(monitor, absl, lines):
    absl.info("Component %s is running.", "Trainer.scalar")
    absl.info("MetadataStore with DB connection initialized")
    absl.info("Component %s is finished.", "Trainer.scalar")
    absl.info("Component %s is running.", "Transform")
    absl.info("A cached execution 7 is used.")
    absl.info("Component %s is finished.", "Transform")
    first, second = monitor.usages
    assert (first.node, first.cached, second.node, second.cached) == ("Trainer.scalar", False, "Transform", True)
    assert first.seconds > 0
    assert second.seconds > 0
    scalar, transform = lines.getvalue().splitlines()
    assert re.fullmatch(r"Trainer\.scalar +0\.\d s", scalar)
    assert re.fullmatch(r"Transform +cached", transform)


def test_other_log_lines_are_ignored(monitor, absl):
    absl.info("Component A is running. Or so they say.")
    absl.info("A Component A is running.")
    absl.info("A cached execution 7 is used.")
    assert monitor.usages == []


def test_an_unfinished_node_is_timed_too(absl, lines):
    monitor = NodeMonitor()
    monitor.start()
    absl.info("Component %s is running.", "Transform")
    monitor.stop()
    assert monitor.usages[0].seconds > 0
    assert lines.getvalue() == ""
    absl.info("Component %s is running.", "Later")
    assert len(monitor.usages) == 1


def test_memory_is_measured_even_for_the_shortest_node(monitor, absl):
    ballast = bytearray(100 * 2**20)
    absl.info("Component %s is running.", "Resolver")
    absl.info("Component %s is finished.", "Resolver")
    del ballast
    assert 100 < monitor.usages[0].peak_megabytes < 100_000


def test_memory_includes_child_processes(monitor, absl):
    hold = "x = bytearray(300 * 2**20); print('ready', flush=True); import time; time.sleep(60)"
    absl.info("Component %s is running.", "Light")
    absl.info("Component %s is finished.", "Light")
    absl.info("Component %s is running.", "Heavy")
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        heavy = monitor.usages[1]
        for _ in range(200):
            if heavy.peak_megabytes > monitor.usages[0].peak_megabytes + 250:
                break
            time.sleep(0.05)
        child.kill()
    assert heavy.peak_megabytes > monitor.usages[0].peak_megabytes + 250


def test_malformed_and_unpaired_log_lines_are_ignored(monitor):
    for message, argument in (
        ("%d reviews", "many"),
        ("Component %s is finished.", "Never begun"),
        ("Component %s is running.", "Transform"),
    ):
        # Straight to the handler: pytest's own, which stands beside it, raises for a malformed line.
        monitor.handle(logging.LogRecord("absl", logging.INFO, "file.py", 1, message, (argument,), None))
    assert [usage.node for usage in monitor.usages] == ["Transform"]

import io
import logging
import os
import re
import subprocess
import sys
import time
import warnings

import pytest
import tensorflow as tf
from absl import logging as absl_logging

from imdb_core.progress import PROGRESS_LOGGER
from pipeline.running.console import quiet_console
from pipeline.running.monitor import NodeMonitor

progress = logging.getLogger(PROGRESS_LOGGER)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "run.log"


def speak(word: str) -> None:
    """Says a word on every way that a library may take."""
    os.write(1, f"{word} to descriptor 1\n".encode())
    os.write(2, f"{word} to descriptor 2\n".encode())
    subprocess.run([sys.executable, "-S", "-c", f"print('{word} by a child')"], check=True)
    logging.getLogger("some.library").info("%s logged", word)
    absl_logging.info("%s by absl", word)
    warnings.warn(f"{word} warned", stacklevel=1)
    progress.info("%s as progress", word)


WAYS = ("to descriptor 1", "to descriptor 2", "by a child", "logged", "by absl", "warned")


def python_state() -> tuple[object, ...]:
    loggers = [logging.getLogger(name) for name in (None, "absl", PROGRESS_LOGGER)]
    return (
        [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers],
        absl_logging.get_verbosity(),
        warnings.showwarning,
        warnings.filters[:],
    )


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def test_only_progress_reaches_the_terminal_and_everything_the_log(log, capfd):
    with quiet_console(log, verbose=False):
        speak("é")
    out, err = capfd.readouterr()
    assert (out, err) == ("é as progress\n", "")
    written = log.read_text(encoding="utf-8")
    assert all(f"é {way}" in written for way in (*WAYS, "as progress"))
    assert re.search(r"INFO some\.library: é logged", written)


def test_verbose_shows_and_keeps_the_logs(log, capfd):
    with quiet_console(log, verbose=True):
        speak("loud")
    out, err = capfd.readouterr()
    assert all(f"loud {way}" in out for way in ("by a child", "logged", "by absl", "warned"))
    assert out.count("loud as progress") == 1
    assert "loud to descriptor 2" in err
    assert all(f"loud {way}" in log.read_text() for way in ("logged", "by absl", "warned", "as progress"))


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, SystemExit])
def test_everything_is_as_before_afterwards(log, capfd, verbose, error):
    before = python_state(), open_descriptors()

    def body() -> None:
        with quiet_console(log, verbose=verbose):
            assert python_state() != before[0]
            if error:
                raise error

    if error:
        with pytest.raises(error):
            body()
    else:
        body()
    assert (python_state(), open_descriptors()) == before
    os.write(1, b"out again\n")
    os.write(2, b"err again\n")
    assert capfd.readouterr() == ("out again\n", "err again\n")


def test_what_python_has_buffered_stays_on_its_side(log, tmp_path):
    code = f"""
import sys
from pathlib import Path
from pipeline.running.monitor import quiet_console
sys.stdout.write("before ")
with quiet_console(Path({str(log)!r}), verbose=False):
    sys.stdout.write("inside")
sys.stdout.write("after")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "before after"
    assert log.read_text() == "inside"


def test_a_terminal_that_cannot_show_a_character_stops_nothing(log):
    code = f"""
import logging
from pathlib import Path
from imdb_core.features import PROGRESS_LOGGER
from pipeline.running.monitor import quiet_console
with quiet_console(Path({str(log)!r}), verbose=False):
    logging.getLogger(PROGRESS_LOGGER).info("\\xfcn\\xef")
"""
    result = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env={**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "\\xfcn\\xef\n"
    assert "ünï" in log.read_text(encoding="utf-8")


def test_a_second_run_appends(log):
    for word in ("first", "second"):
        with quiet_console(log, verbose=False):
            logging.getLogger().info(word)
    assert [line.split()[-1] for line in log.read_text().splitlines()] == ["first", "second"]


def test_a_log_that_cannot_be_written_leaves_the_console_alone(tmp_path, capfd):
    before = python_state(), open_descriptors()
    with pytest.raises(IsADirectoryError), quiet_console(tmp_path, verbose=False):
        pass
    assert (python_state(), open_descriptors()) == before
    os.write(1, b"still here\n")
    assert capfd.readouterr().out == "still here\n"


def test_the_log_goes_on_after_tensorflow_saves_a_model(log, tmp_path):
    # `tf.Module`'s tracking sets absl's verbosity to FATAL and back to what absl remembers.
    with quiet_console(log, verbose=False):
        absl_logging.info("before saving")
        tf.saved_model.save(tf.Module(), str(tmp_path / "model"))
        absl_logging.info("after saving")
    written = log.read_text()
    assert "before saving" in written
    assert "after saving" in written


# NodeMonitor


@pytest.fixture
def lines():
    """What NodeMonitor prints."""
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


def test_other_lines_are_no_nodes(monitor, absl):
    absl.info("Component A is running. Or so they say.")
    absl.info("A Component A is running.")
    absl.info("A cached execution 7 is used.")
    assert monitor.usages == []


def test_a_node_that_ends_the_run_is_timed_too(absl, lines):
    monitor = NodeMonitor()
    monitor.start()
    absl.info("Component %s is running.", "Transform")
    monitor.stop()
    assert monitor.usages[0].seconds > 0
    assert lines.getvalue() == ""
    absl.info("Component %s is running.", "Later")
    assert len(monitor.usages) == 1


def test_even_the_shortest_node_has_its_memory(monitor, absl):
    absl.info("Component %s is running.", "Resolver")
    absl.info("Component %s is finished.", "Resolver")
    # This process holds TensorFlow.
    assert 100 < monitor.usages[0].peak_megabytes < 100_000


def test_memory_of_child_processes_counts(monitor, absl):
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


def test_a_malformed_log_line_or_an_unpaired_one_stops_nothing(monitor):
    for message, argument in (
        ("%d reviews", "many"),
        ("Component %s is finished.", "Never begun"),
        ("Component %s is running.", "Transform"),
    ):
        # Straight to the handler: pytest's own, which stands beside it, raises for a malformed line.
        monitor.handle(logging.LogRecord("absl", logging.INFO, "file.py", 1, message, (argument,), None))
    assert [usage.node for usage in monitor.usages] == ["Transform"]

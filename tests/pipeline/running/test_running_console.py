import gc
import logging
import os
import re
import subprocess
import sys
import warnings

import pytest
import tensorflow as tf
from absl import logging as absl_logging

from imdb_core.progress import PROGRESS_LOGGER
from pipeline.running.console import quiet_console

progress = logging.getLogger(PROGRESS_LOGGER)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "run.log"


def speak(word: str) -> None:
    """Writes a word in every way that a library may use."""
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


def open_descriptors() -> set[tuple[int, str]]:
    """Descriptors and what they are open on, without those of dropped objects, which anything may close meanwhile."""
    gc.collect()
    with os.scandir("/proc/self/fd") as entries:
        return {(int(entry.name), os.readlink(entry.path)) for entry in entries if os.path.lexists(entry.path)}


@pytest.mark.filterwarnings("default:.* warned:UserWarning")  # is one of the ways
def test_only_progress_reaches_the_terminal_and_everything_the_log(log, capfd):
    with quiet_console(log, verbose=False):
        speak("é")
    out, err = capfd.readouterr()
    assert (out, err) == ("é as progress\n", "")
    written = log.read_text(encoding="utf-8")
    assert all(f"é {way}" in written for way in (*WAYS, "as progress"))
    assert re.search(r"INFO some\.library: é logged", written)


@pytest.mark.filterwarnings("default:.* warned:UserWarning")  # is one of the ways
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
def test_the_console_is_restored_afterwards(log, capfd, verbose, error):
    before, opened = python_state(), open_descriptors()

    def body() -> None:
        with quiet_console(log, verbose=verbose):
            assert python_state() != before
            if error:
                raise error

    if error:
        with pytest.raises(error):
            body()
    else:
        body()
    assert python_state() == before
    assert open_descriptors() <= opened
    os.write(1, b"out again\n")
    os.write(2, b"err again\n")
    assert capfd.readouterr() == ("out again\n", "err again\n")


def test_buffered_output_goes_where_it_was_written(log, tmp_path):
    code = f"""
import sys
from pathlib import Path
from pipeline.running.console import quiet_console
sys.stdout.write("before ")
with quiet_console(Path({str(log)!r}), verbose=False):
    sys.stdout.write("inside")
sys.stdout.write("after")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "before after"
    assert log.read_text() == "inside"


def test_a_character_that_the_terminal_cannot_show_is_escaped(log):
    code = f"""
import logging
from pathlib import Path
from imdb_core.progress import PROGRESS_LOGGER
from pipeline.running.console import quiet_console
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
    before, opened = python_state(), open_descriptors()
    with pytest.raises(IsADirectoryError), quiet_console(tmp_path, verbose=False):
        pass
    assert python_state() == before
    assert open_descriptors() <= opened
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


ON_A_FULL_DISK = """
import logging
from pathlib import Path
from imdb_core.progress import PROGRESS_LOGGER
from pipeline.running.console import quiet_console
with quiet_console(Path("run.log"), verbose=False):
    logging.getLogger("some.library").info("x" * 100_000)
    print("x" * 1000)
    logging.getLogger(PROGRESS_LOGGER).info("going on")
    raise ValueError("the cause")
"""


def test_a_log_file_on_a_full_disk_changes_nothing_else(tmp_path):
    """/dev/full is a real disk that is full."""
    (tmp_path / "run.log").symlink_to("/dev/full")
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "going on\n")
    assert done.stderr.splitlines()[-1] == "ValueError: the cause"
    assert "OSError" not in done.stderr

"""What a person sees while a pipeline runs: a line a node, and the full log in a file."""

import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from absl import logging as absl_logging

PROGRESS_LOGGER: Final = "imdb_attention.progress"

_MEGABYTE: Final = 2**20
_SAMPLE_SECONDS: Final = 0.05
# LocalDagRunner tells of its nodes only by these lines.
_NODE_LINE: Final = re.compile(r"Component (\S+) is (running|finished)\.")
_CACHE_LINE: Final = re.compile(r"A cached execution \d+ is used\.")

_progress = logging.getLogger(PROGRESS_LOGGER)


@dataclass
class NodeUsage:
    """What one node took.

    Attributes:
        node: its id.
        seconds: wall time.
        peak_megabytes: largest resident memory of this process and its children while it ran, in MiB.
        cached: an earlier execution's outputs were taken.
    """

    node: str
    seconds: float = 0.0
    peak_megabytes: float = 0.0
    cached: bool = False


class NodeMonitor(logging.Handler):
    """Times nodes and watches their memory, from the runner's own log lines."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.usages: list[NodeUsage] = []
        self._started = 0.0
        self._running: NodeUsage | None = None
        self._stop = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a log line; all but the runner's are ignored."""
        message = record.getMessage()
        if self._running is not None and _CACHE_LINE.fullmatch(message):
            self._running.cached = True
        match = _NODE_LINE.fullmatch(message)
        if match is None:
            return
        if match[2] == "running":
            self._started = time.monotonic()
            self._running = NodeUsage(match[1])
            self.usages.append(self._running)
        else:
            self.end_node()
            usage = self.usages[-1]
            took = "cached" if usage.cached else f"{usage.seconds:6.1f} s"
            _progress.info("%-20s %9s", usage.node, took)

    def end_node(self) -> None:
        """Takes the time of the node that runs, if one does."""
        if self._running is not None:
            self._running.seconds = time.monotonic() - self._started
            self._running = None

    def start(self) -> None:
        """Begins to watch."""
        logging.getLogger("absl").addHandler(self)
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self.end_node()
        self._stop.set()
        self._thread.join()
        logging.getLogger("absl").removeHandler(self)

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            running = self._running
            if running is not None:
                running.peak_megabytes = max(running.peak_megabytes, self._resident() / _MEGABYTE)

    def _resident(self) -> int:
        total = 0
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total


@contextmanager
def quiet_console(log_file: Path, *, verbose: bool) -> Iterator[None]:
    """Sends everything that libraries log, print or warn to a file; progress lines still reach the terminal.

    Native code writes to the descriptors themselves, so these are redirected, not only Python's streams.

    Args:
        log_file: appended to.
        verbose: show everything on the terminal as well as keeping the log.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(1), "w", buffering=1)
    saved_error = os.dup(2)
    root = logging.getLogger()
    saved_handlers, saved_level = root.handlers[:], root.level

    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    file_handler = logging.FileHandler(log_file)
    handlers: list[logging.Handler] = [file_handler, *([logging.StreamHandler(terminal)] if verbose else [])]
    for handler in handlers:
        handler.setFormatter(formatter)
    progress = logging.getLogger(PROGRESS_LOGGER)
    progress_handler = logging.StreamHandler(terminal)
    absl = logging.getLogger("absl")
    absl_handlers, absl_propagate, absl_verbosity = absl.handlers[:], absl.propagate, absl_logging.get_verbosity()
    try:
        root.handlers[:] = handlers
        root.setLevel(logging.INFO)
        absl.handlers[:] = []
        # By absl's own call: TensorFlow saves and restores what that call set, and nothing else.
        absl_logging.set_verbosity(absl_logging.INFO)
        absl.propagate = True
        progress.setLevel(logging.INFO)
        if not verbose:
            progress.addHandler(progress_handler)
            descriptor = os.open(log_file, os.O_WRONLY | os.O_APPEND)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            os.close(descriptor)
        with warnings.catch_warnings():
            logging.captureWarnings(capture=True)
            yield
    finally:
        logging.captureWarnings(capture=False)
        sys.stdout.flush()
        sys.stderr.flush()
        progress.removeHandler(progress_handler)
        root.handlers[:] = saved_handlers
        root.setLevel(saved_level)
        absl.handlers[:], absl.propagate = absl_handlers, absl_propagate
        absl_logging.set_verbosity(absl_verbosity)
        os.dup2(terminal.fileno(), 1)
        os.dup2(saved_error, 2)
        os.close(saved_error)
        terminal.close()
        file_handler.close()

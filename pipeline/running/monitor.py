"""Measures the time and memory of each node of a run, and reports when it begins and ends."""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

from imdb_core import progress
from imdb_core.progress import Ending, NodeBegan, NodeEnded

_SAMPLE_SECONDS: Final = 0.05

# Listing the child processes takes 3 ms of CPU, because it reads all processes of the machine.
_FAMILY_SECONDS: Final = 1.0

# LocalDagRunner reports its nodes only in these log lines.
_NODE_LINE: Final = re.compile(r"Component (\S+) is (running|finished)\.")

_CACHE_LINE: Final = re.compile(r"A cached execution \d+ is used\.")


@dataclass
class NodeUsage:
    """Time and memory of one node."""

    node: str
    seconds: float = 0.0  # wall time
    peak_megabytes: float = 0.0  # resident memory of this process and its children in MiB
    cached: bool = False  # the outputs of an earlier execution were reused


class NodeMonitor(logging.Handler):
    """Measures nodes, whose begin and end it reads from the log lines of LocalDagRunner.

    Args:
        on_end: Called with each node that has succeeded, after its end was reported.
    """

    def __init__(self, on_end: Callable[[NodeUsage], None] | None = None) -> None:
        super().__init__(logging.INFO)
        self._on_end = on_end
        self.usages: list[NodeUsage] = []  # of each node that was started, in order
        self._started = 0.0
        self._running: NodeUsage | None = None
        self._stop = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Handles a log line of the runner; ignores all others."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a library's mistake, which the handler of the log file reports
            return
        if self._running is not None and _CACHE_LINE.fullmatch(message):
            self._running.cached = True
        match = _NODE_LINE.fullmatch(message)
        if match is None:
            return
        ended = self.end_node()
        if match[2] == "running":
            self._started = time.monotonic()
            self._running = NodeUsage(match[1])
            self.usages.append(self._running)
            progress.tell(NodeBegan(match[1]))
        elif ended is not None:
            took = "cached" if ended.cached else f"{ended.seconds:6.1f} s"
            state: Ending = "cached" if ended.cached else "done"
            progress.tell(NodeEnded(ended.node, ended.seconds, state), f"{ended.node:<20} {took:>9}")
            if self._on_end is not None:
                self._on_end(ended)

    def end_node(self) -> NodeUsage | None:
        """Completes the measurement of the running node and returns it; returns None if no node runs."""
        ended, self._running = self._running, None
        if ended is not None:
            ended.seconds = time.monotonic() - self._started
            # A short node may end between two samples.
            ended.peak_megabytes = max(ended.peak_megabytes, _resident([self._process]))
        return ended

    def start(self) -> None:
        """Starts to measure."""
        logging.getLogger("absl").addHandler(self)
        self._thread.start()

    def stop(self) -> None:
        """Stops to measure, and reports a node that is still running as unfinished."""
        if ended := self.end_node():
            progress.tell(NodeEnded(ended.node, ended.seconds, "unfinished"))
        self._stop.set()
        self._thread.join()
        logging.getLogger("absl").removeHandler(self)

    def _watch(self) -> None:
        family = [self._process]
        looked = -_FAMILY_SECONDS
        while not self._stop.wait(_SAMPLE_SECONDS):
            if time.monotonic() - looked >= _FAMILY_SECONDS:
                looked = time.monotonic()
                family = [self._process, *self._process.children(recursive=True)]
            running = self._running
            if running is not None:
                running.peak_megabytes = max(running.peak_megabytes, _resident(family))


def _resident(processes: Sequence[psutil.Process]) -> float:
    total = 0
    for process in processes:
        # The process may have ended, or belong to another user.
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**20

"""Measures the time and memory of each node of a run, and reports when it begins and ends."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import psutil

from imdb_core import progress
from imdb_core.progress import NodeBegan, NodeEnded

_SAMPLE_SECONDS: Final = 0.05

# Listing the child processes takes 3 ms of CPU, because it reads all processes of the machine.
_FAMILY_SECONDS: Final = 1.0
# To tell what they share, the system takes 10 ms for each GB.
_SHARED_SECONDS: Final = 4.0


@dataclass
class NodeUsage:
    """Time and memory of one node."""

    node: str
    seconds: float = 0.0  # wall time
    peak_megabytes: float = 0.0  # resident memory of the node's processes in MiB; 0 if it was not executed
    cached: bool = False  # the outputs of an earlier execution were reused


@dataclass
class _Running:
    usage: NodeUsage
    started: float
    process: psutil.Process | None = None
    family: list[psutil.Process] = field(default_factory=list)


class NodeMonitor:
    """Measures nodes, any number at once.

    Args:
        on_end: Called with each node that has succeeded, after its end was reported.

    Attributes:
        usages: The nodes that were started, in this order.
        peak_megabytes: The most memory that the whole run took at a time, in MiB. Memory that processes share counts
            once.
    """

    def __init__(self, on_end: Callable[[NodeUsage], None] | None = None) -> None:
        self.usages: list[NodeUsage] = []
        self.peak_megabytes = 0.0
        self._on_end = on_end
        self._running: dict[str, _Running] = {}
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def begin(self, node: str) -> None:
        """Starts to measure a node, and reports that it began."""
        usage = NodeUsage(node)
        with self._guard:
            self._running[node] = _Running(usage, time.monotonic())
            self.usages.append(usage)
        progress.tell(NodeBegan(node))

    def watch_process(self, node: str, process_id: int) -> None:
        """Measures the memory of a process, and of its children, for a node that runs."""
        with self._guard, suppress(psutil.Error):
            running = self._running[node]
            running.process = psutil.Process(process_id)
            running.family = [running.process]

    def end(self, node: str, *, cached: bool) -> None:
        """Completes the measurement of a node that has succeeded, and reports it."""
        usage = self._measured(node)
        usage.cached = cached
        took = "cached" if cached else f"{usage.seconds:6.1f} s"
        progress.tell(NodeEnded(node, usage.seconds, "cached" if cached else "done"), f"{node:<20} {took:>9}")
        if self._on_end is not None:
            self._on_end(usage)

    def fail(self, node: str) -> None:
        """Completes the measurement of a node that has failed, and reports it as unfinished."""
        progress.tell(NodeEnded(node, self._measured(node).seconds, "unfinished"))

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measures memory in the block, and reports the nodes that still run at its end as unfinished."""
        self._thread.start()
        try:
            yield
        finally:
            for node in list(self._running):
                self.fail(node)
            self._stop.set()
            self._thread.join()

    def _measured(self, node: str) -> NodeUsage:
        with self._guard:
            running = self._running.pop(node)
        running.usage.seconds = time.monotonic() - running.started
        return running.usage

    def _watch(self) -> None:
        looked = shared = -_SHARED_SECONDS
        while not self._stop.wait(_SAMPLE_SECONDS):
            with self._guard:
                running = [one for one in self._running.values() if one.process is not None]
            if time.monotonic() - looked >= _FAMILY_SECONDS:
                looked = time.monotonic()
                everything = [self._process, *self._process.children(recursive=True)]
                if looked - shared >= _SHARED_SECONDS:
                    shared = looked
                    self.peak_megabytes = max(self.peak_megabytes, _megabytes(everything, _proportional))
                for one in running:
                    with suppress(psutil.Error):
                        one.family = [one.process, *one.process.children(recursive=True)]  # type: ignore[union-attr,list-item]
            for one in running:
                one.usage.peak_megabytes = max(one.usage.peak_megabytes, _megabytes(one.family, _resident))


def _megabytes(processes: Sequence[psutil.Process], bytes_of: Callable[[psutil.Process], int]) -> float:
    total = 0
    for process in processes:
        # The process may have ended, or belong to another user.
        with suppress(psutil.Error, OSError):
            total += bytes_of(process)
    return total / 2**20


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _proportional(process: psutil.Process) -> int:
    """Returns the memory of a process; of what it shares with others its part, where the system tells that."""
    # psutil reads the same from a list of all mappings, which takes a hundred times as long.
    for line in _lines(f"/proc/{process.pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 2**10
    return _resident(process)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.readlines()
    except OSError:
        return []

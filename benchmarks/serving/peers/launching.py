"""Starts a peer in an environment of its own, and leaves none of its processes behind."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.serving.pinning import pinned
from serving.launch import start_program, wait_for_line

_ENVIRONMENTS: Final = Path(__file__).resolve().parents[3] / ".tools" / "bench-serving"
_READY: Final = re.compile(r"Serving http://(\S+)$")
_READY_SECONDS: Final = 300.0  # Ray starts ten processes, on one core
_STOP_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Peer:
    """A server that is measured beside ours."""

    title: str
    package: str  # also the name of its environment
    path: str  # of the URL that answers

    @property
    def python(self) -> Path:
        """The Python of its environment, which `make bench-serving` makes."""
        return _ENVIRONMENTS / self.package / "bin" / "python"

    def command(self, model: Path) -> list[str]:
        """Returns the command that serves a SavedModel."""
        return [str(self.python), str(Path(__file__).with_name(f"{self.package}_app.py")), str(model)]

    def version(self) -> str:
        """Asks its environment for the version that is installed."""
        code = f"import importlib.metadata; print(importlib.metadata.version({self.package!r}))"
        command = [str(self.python), "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - our own


PEERS: Final = (Peer("Ray Serve", "ray", "/"), Peer("LitServe", "litserve", "/predict"))


@dataclass(frozen=True)
class LaunchedPeer:
    """A running peer: its `host:port`, and the process whose children belong to it."""

    address: str
    process: psutil.Process


@contextmanager
def launched_peer(command: Sequence[str], core: int, timeout: float = _READY_SECONDS) -> Iterator[LaunchedPeer]:
    """Starts a program on a core; it prints `Serving http://HOST:PORT` and ends when its standard input does.

    At the end of the block the program gets some time to end by itself; what is left of its processes is killed.

    Raises:
        RunError: The program ended or did not serve within `timeout` seconds; the message quotes its last output.
    """
    with (
        tempfile.TemporaryDirectory(prefix="peer-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
    ):
        # A killed program leaves its temporary files in our folder.
        environ = {**os.environ, "TMPDIR": folder}
        environ.pop("PYTHONPATH", None)  # it would lead to this project's packages
        with pinned(core):
            process = start_program(command, environ, errors)
        try:
            ready = wait_for_line(process, _READY, errors, timeout, Path(command[1]).name)
            yield LaunchedPeer(ready[1], psutil.Process(process.pid))
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[str]") -> None:
    """Ends the program's standard input, then kills what is left: its group, and children that left the group."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        family += [child for child in psutil.Process(process.pid).children(recursive=True) if child not in family]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()  # not another process that got its number: psutil compares start times
        process.wait()
        psutil.wait_procs(family, _STOP_SECONDS)
        if process.stdout:
            process.stdout.close()

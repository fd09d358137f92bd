"""Starts a peer in an environment of its own, and leaves none of its processes behind."""

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from benchmarks.serving.pinning import pinned
from imdb_core.errors import RunError

_ENVIRONMENTS: Final = Path(__file__).resolve().parents[3] / ".tools" / "bench-serving"
_READY: Final = re.compile(r"Serving http://(\S+)$")
_READY_SECONDS: Final = 300.0  # Ray starts ten processes, on one core
_STOP_SECONDS: Final = 30.0
_SHOWN_LINES: Final = 5


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
        environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TMPDIR": folder}
        environ.pop("PYTHONPATH", None)  # it would lead to this project's packages
        with pinned(core):
            process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        try:
            yield LaunchedPeer(_wait_until_ready(process, errors, timeout), psutil.Process(process.pid))
        finally:
            _stop(process)


def _wait_until_ready(process: "subprocess.Popen[str]", errors: IO[str], timeout: float) -> str:
    ready: list[str] = []
    served = threading.Event()

    def read() -> None:
        with suppress(ValueError):  # closed meanwhile
            for line in process.stdout or ():
                found = _READY.search(line.strip())
                if found and not ready:
                    ready.append(found[1])
                    served.set()
        served.set()  # the process ended

    # Read all output, or a program that prints a lot would block on a full pipe.
    threading.Thread(target=read, daemon=True).start()
    in_time = served.wait(timeout)
    if ready:
        return ready[0]
    what = "ended before it served" if in_time else f"did not serve within {timeout:g} s"
    errors.seek(0)
    last = " ".join(line.strip() for line in errors.readlines()[-_SHOWN_LINES:])
    raise RunError(f"{Path(process.args[1]).name} {what}: {last or 'it printed nothing'}")  # type: ignore[index,arg-type]


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

"""The machine that a benchmark ran on, and what a process took of it."""

import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

_GIGABYTE: Final = 1e9
_PACKAGES: Final = ("tensorflow", "keras", "tfx", "apache-beam")
# Above this share of the cores a machine is busy: the figures of 2 cores shared with others mean little.
_BUSY: Final = 0.25


@dataclass(frozen=True)
class Process:
    """What one process and its children took.

    Attributes:
        started_at: unix time.
        seconds: wall time from its start to its end.
        cpu_seconds: user and system time.
        other_cpu_seconds: CPU time that everything else on the machine took meanwhile.
        peak_gigabytes: largest resident memory of one process, in 1e9 bytes.
        exit_code: negative where a signal ended it.
    """

    started_at: float
    seconds: float
    cpu_seconds: float
    other_cpu_seconds: float
    peak_gigabytes: float
    exit_code: int


def run_process(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Process:
    """Runs a command to its end; its output goes where ours goes.

    The peak of a process counts its parent's at the time of its start too, so this one should stay small.

    Args:
        command: program and arguments.
        environment: all of it.
        folder: to run in.
    """
    busy = _busy_cpu_seconds()
    started_at, started = time.time(), time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=folder)  # noqa: S603 - our own commands
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    # Popen has not waited itself.
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    cpu_seconds = usage.ru_utime + usage.ru_stime
    others = max(0.0, _busy_cpu_seconds() - busy - cpu_seconds)
    return Process(started_at, seconds, cpu_seconds, others, gigabytes(usage), process.returncode)


def gigabytes(usage: resource.struct_rusage) -> float:
    """Returns the peak of resident memory, in 1e9 bytes; the kernels count in KiB, and macOS in bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / _GIGABYTE


def describe() -> dict[str, Any]:
    """Describes the machine and its software.

    Returns:
        JSON: `cpu`, `cores`, `memory_gigabytes`, `gpu` (None without one), `system`, `python`, `versions`.
    """
    return {
        "cpu": _cpu_model(),
        "cores": _cores(),
        "memory_gigabytes": round(psutil.virtual_memory().total / _GIGABYTE, 1),
        "gpu": _gpu_model(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
    }


def load() -> dict[str, Any]:
    """Tells how busy the machine is: `average` over 1, 5 and 15 minutes, and whether that is `busy`."""
    average = os.getloadavg()
    return {"average": [round(value, 2) for value in average], "busy": average[0] > _BUSY * _cores()}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _gpu_model() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    return ", ".join(answer.stdout.split("\n")).strip(", ") if answer.returncode == 0 else None


def _busy_cpu_seconds() -> float:
    times = psutil.cpu_times()
    # Time in guests is part of `user`; stolen time is time that another machine took from this one.
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))

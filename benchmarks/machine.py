"""Describes the machine that a benchmark runs on, and measures processes."""

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
# A machine whose load exceeds this share of its cores is busy: other processes would distort the figures.
_BUSY: Final = 0.25


@dataclass(frozen=True)
class MeasuredProcess:
    """The resources that one process and its children used.

    Attributes:
        started_at: Unix time of the start.
        seconds: Wall time from start to end.
        cpu_seconds: User and system time.
        other_cpu_seconds: CPU time that all other processes of the machine used meanwhile.
        peak_gigabytes: The largest resident memory of a single process, in 1e9 bytes.
        exit_code: The exit code; negative if a signal ended the process.
    """

    started_at: float
    seconds: float
    cpu_seconds: float
    other_cpu_seconds: float
    peak_gigabytes: float
    exit_code: int


def run_process(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> MeasuredProcess:
    """Runs a command to its end with our standard output and error.

    The kernel starts the peak of a process at its parent's memory, so the calling process should stay small.

    Args:
        command: The program and its arguments.
        environment: All environment variables.
        folder: The working directory.
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
    # Popen does not know that `wait4` has waited.
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    cpu_seconds = usage.ru_utime + usage.ru_stime
    others = max(0.0, _busy_cpu_seconds() - busy - cpu_seconds)
    return MeasuredProcess(started_at, seconds, cpu_seconds, others, gigabytes(usage), process.returncode)


def gigabytes(usage: resource.struct_rusage) -> float:
    """Returns the peak of resident memory in 1e9 bytes; Linux reports KiB, macOS bytes."""
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
    """Returns the load `average` over 1, 5 and 15 minutes, and whether the machine is `busy`."""
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
    # `user` includes the time of guests; stolen time is time that another virtual machine used.
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))

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
from pathlib import Path
from typing import Any, Final

import psutil

from imdb_core.cores import usable_cores
from imdb_core.packages import FRAMEWORKS, package_versions

_GIGABYTE: Final = 1e9
# A machine whose load exceeds this share of its cores is busy: other processes would distort the figures.
_BUSY: Final = 0.25


@dataclass(frozen=True)
class MeasuredProcess:
    """The resources that one process and its children used."""

    started_at: float  # Unix time
    seconds: float  # wall time from start to end
    cpu_seconds: float  # user and system time
    other_cpu_seconds: float  # CPU time that all other processes of the machine used meanwhile
    peak_gigabytes: float  # the largest resident memory of a single process, in 1e9 bytes
    exit_code: int  # negative if a signal ended the process


def run_process(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> MeasuredProcess:
    """Runs a command to its end in a folder, with our standard output and error, and these environment variables alone.

    The kernel starts the peak of a process at its parent's memory, so the calling process should stay small.
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
    """Describes the machine and its software; `gpu` is None without one."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gigabytes": round(psutil.virtual_memory().total / _GIGABYTE, 1),
        "gpu": _gpu_model(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": package_versions(FRAMEWORKS),
    }


def load() -> dict[str, Any]:
    """Returns the load `average` over 1, 5 and 15 minutes, and whether the machine is `busy`."""
    average = os.getloadavg()
    return {"average": [round(value, 2) for value in average], "busy": average[0] > _BUSY * usable_cores()}


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

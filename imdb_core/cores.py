"""The number of processor cores that this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")
_CONTROLLER: Final = "cpu"


def usable_cores() -> int:
    """Counts the cores of this process: its affinity, or fewer if a container limits its CPU time.

    A limit such as `docker run --cpus=1.5` is rounded up. `os.cpu_count` counts the cores of the whole machine.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # noqa: TID251 - where there is no affinity
    limits = [math.ceil(limit) for limit in _limits(_CGROUPS, _OWN_CGROUP)]
    return max(1, min([allowed, *limits]))


def _limits(root: Path, own: Path) -> Iterator[float]:
    """Yields each limit of this process's control group and of those above it, in cores."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and _CONTROLLER not in controllers.split(","):
            continue
        own_group = PurePosixPath(path.strip("/"))
        # Inside a container, the path may name a folder that only the host sees; its own group is then the root.
        for group in (own_group, *own_group.parents):
            # The folder may have the controllers in another order, but one named after this controller leads there.
            limit = _limit(root / _CONTROLLER / group) if controllers else _unified_limit(root / group)
            if limit is not None:
                yield limit


def _unified_limit(folder: Path) -> float | None:
    """Reads `cpu.max` of control groups of version 2: a quota, or `max`, and its period."""
    words = _words(folder / "cpu.max")
    return _cores(words[0], words[1]) if len(words) == 2 else None  # noqa: PLR2004 - quota and period


def _limit(folder: Path) -> float | None:
    """Reads the two files of version 1; a quota of -1 is no limit."""
    words = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
    return _cores(words[0], words[1]) if len(words) == 2 else None  # noqa: PLR2004 - quota and period


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _cores(quota: str, period: str) -> float | None:
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None

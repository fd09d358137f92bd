"""Pins server and clients to a core each, so that neither takes the other's time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from imdb_core.errors import RunError


@dataclass(frozen=True)
class Cores:
    """The core of the server, and that of this process, which runs the clients."""

    server: int
    clients: int

    @classmethod
    def first_two(cls) -> "Cores":
        """Takes the first two cores that this process may use.

        Raises:
            RunError: There are fewer, or this system pins no process.
        """
        usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if len(usable) < 2:  # noqa: PLR2004 - a core each
            raise RunError(
                f"this benchmark pins the server to one core and the clients to another; it found {len(usable)} that "
                "it may use. Run it on Linux with two cores or more"
            )
        return cls(*usable[:2])


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Runs this thread, and the processes that it starts, on one core until the block ends."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

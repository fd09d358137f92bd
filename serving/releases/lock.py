"""The lock that lets only one process at a time change releases, and the name of its holder."""

import contextlib
import fcntl
import getpass
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from serving.releases.errors import ReleaseError

_LOCK_FILE: Final = ".releases.lock"


@contextlib.contextmanager
def exclusive(folder: Path, purpose: str) -> Iterator[None]:
    """Holds a folder's lock; the kernel releases it when the process ends, even if it is killed.

    It does not wait for the lock, because the user should first see what the other process changed.

    Raises:
        ReleaseError: Another process holds the lock; the message quotes its purpose, such as `promote 3`.
    """
    with (folder / _LOCK_FILE).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise ReleaseError(f"releases in {folder} are being changed by {holder}; wait for it or end it") from None
        lock.truncate(0)
        lock.write(f"`{purpose}` of {who()} (process {os.getpid()})\n")
        lock.flush()
        yield


def who() -> str:
    """Returns the user and the machine, such as `ann@laptop`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have no name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"

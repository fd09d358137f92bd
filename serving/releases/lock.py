"""Writing so that whoever reads sees all of it or nothing, and one writer at a time."""

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
    """Holds a folder's lock; the kernel frees it when the process ends, however that is.

    It does not wait: what another person does to the same releases should be known before one goes on.

    Args:
        folder: of all models.
        purpose: told to whoever comes meanwhile, like `promote 3`.

    Raises:
        ReleaseError: another process holds it.
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
    """Names the user and the machine, as `ann@laptop`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"

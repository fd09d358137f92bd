"""A temporary folder of a command's own, which takes everything that its libraries leave behind.

Beam, TF Transform, TensorFlow and TFX make temporary files wherever `tempfile` and TMPDIR say, and remove only some.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from imdb_core.errors import RunError

PREFIX: Final = "imdb-attention-"
_VARIABLE: Final = "TMPDIR"

# Folder → descriptor that holds its lock. A folder without a lock is left over from a command that was killed.
_HELD: Final[dict[str, int]] = {}


@contextmanager
def private_temporary_folder() -> Iterator[Path]:
    """Makes a folder the temporary folder of this process and its children, and removes it at the end.

    It also removes such folders that commands left behind because they were killed.

    Raises:
        RunError: No temporary folder can be made.
    """
    try:
        base = tempfile.gettempdir()
        _remove_abandoned(base)
        folder = tempfile.mkdtemp(prefix=PREFIX)
        _HELD[folder] = _locked(folder)
    except OSError as error:
        raise RunError(
            f"cannot make a temporary folder: {error.strerror or error}; set TMPDIR to a folder that can be written"
        ) from error
    before, default = os.environ.get(_VARIABLE), tempfile.tempdir
    os.environ[_VARIABLE] = tempfile.tempdir = folder
    try:
        yield Path(folder)
    finally:
        tempfile.tempdir = default
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before
        _remove(folder)


def remove_private_folders() -> None:
    """Removes all private folders of this process, for one that ends without its `finally` blocks."""
    for folder in list(_HELD):
        _remove(folder)


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError, KeyError):
        os.close(_HELD.pop(folder))


def _remove_abandoned(base: str) -> None:
    for left in Path(base).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or still in use
            descriptor = _locked(str(left))
            shutil.rmtree(left, ignore_errors=True)
            os.close(descriptor)


def _locked(folder: str) -> int:
    """Locks a folder until the process ends; raises an OSError if another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor

"""Tells a full disk from other errors, and says which folder is full and how much it lacks."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from imdb_core.errors import ReviewPipelineError, RunError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
# What TensorFlow, SQLite and Beam say, whose errors have no number.
_SAID: Final = ("no space left on device", "database or disk is full", "disk quota exceeded")
_MEGABYTE: Final = 1_000_000


def is_full_disk(error: BaseException | None) -> bool:
    """Returns whether an error, or one that led to it, says that a disk or a quota is full."""
    return any(
        (isinstance(one, OSError) and one.errno in _FULL) or any(words in str(one).lower() for words in _SAID)
        for one in _chain(error)
    )


def describe_full_disk(folders: Iterable[str | os.PathLike[str]], needed: str) -> str:
    """Says which folder has how much room left, what needs more, and what to do, in one sentence.

    Args:
        folders: Folders that were written to, existing or not; the one on the disk with the least room is named.
        needed: What is written there, such as `a run needs about 60 MB`.
    """
    folder = min(folders, key=lambda path: _free(path)[0])
    free, total = _free(folder)
    return (
        f"the disk of {os.fspath(folder)} has {free / _MEGABYTE:.1f} MB left of {total / _MEGABYTE:,.1f} MB; {needed}; "
        "make room there, or use a folder on another disk"
    )


def require_space(folder: str | os.PathLike[str], needed: int, purpose: str) -> None:
    """Raises a RunError if fewer than `needed` bytes are free on the disk of a folder, which need not exist yet."""
    if _free(folder)[0] < needed:
        raise RunError(describe_full_disk([folder], f"{purpose} needs at least {needed / _MEGABYTE:.0f} MB"))


@contextmanager
def full_disk_as_one_line(*folders: str | os.PathLike[str]) -> Iterator[None]:
    """Turns an unforeseen error of the block into a RunError if it says that a disk is full.

    Args:
        folders: The folders that the block writes to, in addition to the temporary folder.
    """
    try:
        yield
    except ReviewPipelineError:
        raise
    except Exception as error:
        if not is_full_disk(error):
            raise
        what = f"writing {error.filename}" if isinstance(error, OSError) and error.filename else "this command"
        raise RunError(describe_full_disk((*folders, temporary_folder()), f"{what} needs more")) from error


def temporary_folder() -> str:
    """Returns the folder of temporary files, even if it is too full to be one."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - only named in a message


def _free(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Returns the free bytes and the size of the disk that holds a path, or would hold it."""
    existing = next(folder for folder in (Path(path).absolute(), *Path(path).absolute().parents) if folder.exists())
    usage = shutil.disk_usage(existing)
    return usage.free, usage.total


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__

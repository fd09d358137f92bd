"""The current folder of a run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from apache_beam.io.localfilesystem import LocalFileSystem


@contextmanager
def working_in(workspace: Path) -> Iterator[None]:
    """Makes the workspace the current folder, so that the relative paths of its artifacts work.

    Beam then also keeps relative paths as they are. Otherwise it makes them absolute and matches them as patterns,
    which fails where the path of the workspace contains a bracket.
    """
    before: str | None = None
    with suppress(FileNotFoundError):  # a folder that was deleted
        before = os.getcwd()
    split = LocalFileSystem.split
    os.chdir(workspace)
    LocalFileSystem.split = _split
    try:
        yield
    finally:
        LocalFileSystem.split = split
        if before is not None:
            os.chdir(before)


def _split(file_system: Any, path: str) -> tuple[str, str]:
    del file_system
    return os.path.split(path)

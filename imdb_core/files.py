"""Files that are written whole or not at all.

A file is first written beside its place under another name. Whoever reads meanwhile finds the old file; whoever is
killed meanwhile leaves the old file.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

# Everybody may read them: a server may run under another user than the pipeline.
_MODE: Final = 0o644


class FileSystem(Protocol):
    """What replacing a file needs of a file system; `tf.io.gfile` and `tfx.dsl.io.fileio` have it too."""

    def makedirs(self, path: str, /) -> None:
        """Makes a folder and its parents, if they are missing."""

    def remove(self, path: str, /) -> None:
        """Removes a file."""

    def rename(self, src: str, dst: str, /, overwrite: bool = False) -> None:
        """Moves a file, onto another one if `overwrite`."""


class _LocalFiles:
    """This machine's disks. When `rename` returns, the file and its name are on disk."""

    def makedirs(self, path: str, /) -> None:
        os.makedirs(path, exist_ok=True)

    def remove(self, path: str, /) -> None:
        os.remove(path)

    def rename(self, src: str, dst: str, /, overwrite: bool = False) -> None:
        del overwrite
        os.chmod(src, _MODE)
        flush(Path(src))
        os.replace(src, dst)
        flush(Path(dst).parent)


LOCAL: Final[FileSystem] = _LocalFiles()


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], files: FileSystem = LOCAL) -> Iterator[str]:
    """Lets a block write a file that takes its place when the block ends.

    Args:
        path: of the file; its folder is made if it is missing.
        files: where it lies. Local disks are flushed; for object stores and other remote paths give `tf.io.gfile`.

    Yields:
        The path to write to, in the same folder. If the block raises, what was written there is removed.
    """
    folder, name = os.path.split(os.fspath(path))
    partial = os.path.join(folder, f".{name}.{os.getpid()}.partial")
    files.makedirs(folder or os.curdir)
    try:
        yield partial
        files.rename(partial, os.fspath(path), overwrite=True)
    except BaseException:
        with contextlib.suppress(Exception):
            files.remove(partial)
        raise


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes a local file; it is on disk when this returns.

    Args:
        path: of the file; its folder is made if it is missing.
        content: text is written as UTF-8.
    """
    with replacing(path) as partial:
        Path(partial).write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: str | os.PathLike[str], record: Any) -> None:
    """Writes a record as indented JSON; see `write_atomically`."""
    write_atomically(path, json.dumps(record, indent=2) + "\n")


def flush(path: Path) -> None:
    """Forces a file or folder to disk, so that a power cut leaves no renamed file without its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

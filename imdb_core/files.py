"""Files that are written completely or not at all.

A file is first written under another name in the same folder and then renamed. A reader sees the old file until then,
and a process that is killed before then leaves the old file.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

# All users may read the files: a server may run as another user than the pipeline.
_MODE: Final = 0o644


class FileSystem(Protocol):
    """The operations of a file system that replacing a file needs; `tf.io.gfile` and `tfx.dsl.io.fileio` have them."""

    def makedirs(self, path: str, /) -> None:
        """Makes a folder and its parents if they are missing."""

    def remove(self, path: str, /) -> None:
        """Removes a file."""

    def rename(self, src: str, dst: str, /, overwrite: bool = False) -> None:
        """Renames a file; `overwrite` allows it to replace another one."""


class _LocalFiles:
    """The file systems of this machine. When `rename` returns, the file and its name are on disk."""

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
    """Replaces a file by one that the block writes, when the block ends without an exception.

    Args:
        path: The file to replace. Its folder is made if it is missing.
        files: The file system. The default flushes local files to disk; give `tf.io.gfile` for remote paths.

    Yields:
        The path to write to, in the same folder. If the block raises, the file there is removed.
    """
    folder, name = os.path.split(os.fspath(path))
    # Several local processes may replace one file. Elsewhere, a retry overwrites what a killed worker left.
    writer = f".{os.getpid()}" if files is LOCAL else ""
    partial = os.path.join(folder, f".{name}{writer}.partial")
    files.makedirs(folder or os.curdir)
    try:
        yield partial
        files.rename(partial, os.fspath(path), overwrite=True)
    except BaseException:
        with contextlib.suppress(Exception):
            files.remove(partial)
        raise


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Replaces a local file, and makes its folder if it is missing; the content, UTF-8 if text, is then on disk."""
    with replacing(path) as partial:
        Path(partial).write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: str | os.PathLike[str], record: Any) -> None:
    """Replaces a local file by a record, as indented JSON; see `write_atomically`."""
    write_atomically(path, json.dumps(record, indent=2) + "\n")


def flush(path: Path) -> None:
    """Forces a file or folder to disk, so that a power failure cannot leave a renamed file without its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files that are written completely or not at all.

A file is first written under another name in the same folder and then renamed. A reader sees the old file until then,
and a process that is killed before then leaves the old file.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol


class FileSystem(Protocol):
    """The operations of a file system that replacing a file needs; `tf.io.gfile` and `tfx.dsl.io.fileio` have them."""

    def makedirs(self, path: str, /) -> None:
        """Makes a folder and its parents if they are missing."""

    def remove(self, path: str, /) -> None:
        """Removes a file."""

    def rename(self, src: str, dst: str, /, overwrite: bool = False) -> None:
        """Renames a file; `overwrite` allows it to replace another one."""


class LocalFiles:
    """The file systems of this machine. When `rename` returns, the file and its name are on disk."""

    def makedirs(self, path: str, /) -> None:
        """See FileSystem."""
        os.makedirs(path, exist_ok=True)

    def remove(self, path: str, /) -> None:
        """See FileSystem."""
        os.remove(path)

    def rename(self, src: str, dst: str, /, overwrite: bool = False) -> None:
        """See FileSystem; always overwrites."""
        del overwrite
        flush(Path(src))
        os.replace(src, dst)
        flush(Path(dst).parent)


LOCAL: Final[FileSystem] = LocalFiles()


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], files: FileSystem = LOCAL) -> Iterator[str]:
    """Replaces a file by one that the block writes, when the block ends without an exception.

    A local link keeps pointing to its file, and a local device such as /dev/stdout is written in place.

    Args:
        path: The file to replace. Its folder is made if it is missing.
        files: The file system. The default flushes local files to disk; give `tf.io.gfile` for remote paths.

    Yields:
        The path to write to, in the same folder. If the block raises, the file there is removed.
    """
    target, writer = os.fspath(path), ""
    if isinstance(files, LocalFiles):
        if os.path.exists(target) and not os.path.isfile(target):
            yield target
            return
        # Several processes and threads may replace one file. On remote file systems, a retry of a killed worker has to
        # overwrite what that one left.
        target, writer = os.path.realpath(target), f".{secrets.token_hex(4)}"
    folder, name = os.path.split(target)
    partial = os.path.join(folder, f".{name}{writer}.partial")
    files.makedirs(folder or os.curdir)
    try:
        yield partial
        files.rename(partial, target, overwrite=True)
    except BaseException:
        with contextlib.suppress(Exception):
            files.remove(partial)
        raise


def write_atomically(path: str | os.PathLike[str], content: str | bytes, mode: int | None = None) -> None:
    """Replaces a local file; the content is on disk when this returns.

    Args:
        path: The file to replace. Its folder is made if it is missing.
        content: Bytes, or text, which is written as UTF-8.
        mode: The permissions, such as 0o644; those of the umask by default.
    """
    with replacing(path) as partial:
        Path(partial).write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            os.chmod(partial, mode)


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

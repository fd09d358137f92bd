"""Finds and opens files on any file system that Beam supports."""

import glob
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, NamedTuple, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from imdb_core.errors import SourceError
from imdb_core.excerpts import excerpt
from imdb_core.reviews.unpacking import one_line

_BRACES: Final = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MARKS: Final = "*?["


class FoundFile(NamedTuple):
    """A file that exists."""

    path: str  # as a Beam file system names it
    size: int  # in bytes
    changed: float  # seconds since 1970


class FoundFiles(NamedTuple):
    """The files of a source, sorted by path, and how many characters of each path lead to the source's root."""

    files: list[FoundFile]
    root: int
    is_one: bool  # whether the source names one file


def find_files(source: str) -> FoundFiles:
    """Lists the files of a source without reading them.

    A path that exists is that file or folder, whatever characters it has. Any other is a glob, in which `**` stands for
    folders and `{a,b}` for either text.

    Raises:
        SourceError: The file system is unknown or does not answer.
    """
    if "://" in source:
        return _remote(source)
    if os.path.isfile(source):
        return FoundFiles([_local(source)], len(source) - len(os.path.basename(source)), is_one=True)
    if os.path.isdir(source):
        folder = source.rstrip("/")
        walked = (os.path.join(at, name) for at, _, names in os.walk(folder, followlinks=True) for name in names)
        return FoundFiles(sorted(map(_local, walked)), len(folder) + 1, is_one=False)
    found: set[str] = set()
    root = None
    for pattern in _alternatives(source):
        folder, rest = _literal(pattern)
        root = folder if root is None else os.path.commonpath([root, folder])
        matches = (os.path.join(folder, one) for one in glob.glob(rest, root_dir=folder, recursive=True))
        found.update(one for one in matches if os.path.isfile(one))
    return FoundFiles(sorted(map(_local, found)), len(root or "") + 1, is_one=False)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Opens a file for reading, as it is.

    Raises:
        SourceError: The file cannot be opened.
    """
    try:
        file = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    except (BeamIOError, OSError) as error:
        raise SourceError(
            f"data.source: cannot read {excerpt(path, 500)}: {one_line(error)}; check the path"
        ) from error
    with file:
        yield cast(IO[bytes], file)


def _remote(source: str) -> FoundFiles:
    base = source.rstrip("/")
    patterns = _alternatives(source)
    found = _matches(patterns) or _matches([f"{base}/**"])
    stop = min((source.find(mark) for mark in (*_MARKS, "{") if mark in source), default=len(base) + 1)
    root = source.rfind("/", 0, stop) + 1 if stop <= len(base) else len(base) + 1
    is_one = len(found) == 1 and found[0].path == base
    return FoundFiles(found, len(base) - len(base.rpartition("/")[2]) if is_one else root, is_one)


def _matches(patterns: list[str]) -> list[FoundFile]:
    try:
        results = FileSystems.match(patterns)
    except (BeamIOError, OSError, ValueError) as error:
        raise SourceError(
            f"data.source: cannot list {', '.join(patterns)}: {one_line(error)}; check the path and your access "
            "rights, and install Apache Beam's extra for this file system (apache-beam[gcp] for gs://)"
        ) from error
    found = {
        FoundFile(file.path, file.size_in_bytes, file.last_updated_in_seconds)
        for result in results
        for file in result.metadata_list
    }
    return sorted(found)


def _local(path: str) -> FoundFile:
    try:
        status = os.stat(path)
    except OSError:  # a link that leads nowhere; reading it gives the error
        return FoundFile(path, 0, 0.0)
    return FoundFile(path, status.st_size, status.st_mtime)


def _alternatives(pattern: str) -> list[str]:
    """Expands `{a,b}`."""
    found = _BRACES.search(pattern)
    if not found:
        return [pattern]
    head, tail = pattern[: found.start()], pattern[found.end() :]
    return [one for choice in found[1].split(",") for one in _alternatives(head + choice + tail)]


def _literal(pattern: str) -> tuple[str, str]:
    """Splits a pattern into the longest folder that exists, taken literally, and the rest."""
    parts = pattern.split("/")
    for count in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:count]) or "/"
        if os.path.isdir(folder):
            return folder, "/".join(parts[count:])
    return "/", pattern.lstrip("/")

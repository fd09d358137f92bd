"""Finds and opens files on any file system that Beam supports."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from pyarrow import ArrowException

from imdb_core.errors import SourceError


class FoundFile(NamedTuple):
    """A file that exists."""

    path: str  # as a Beam file system names it
    size: int  # in bytes
    changed: float  # seconds since 1970


def find_files(*patterns: str) -> list[FoundFile]:
    """Lists the files that match any of the paths or globs, sorted by path, without reading them.

    Raises:
        SourceError: The file system is unknown or does not answer.
    """
    try:
        results = FileSystems.match(list(patterns))
    except (BeamIOError, OSError, ValueError) as error:
        raise SourceError(
            f"data.source: cannot list {', '.join(patterns)}: {_one_line(error)}; check the path and your access "
            "rights, and install Apache Beam's extra for this file system (apache-beam[gcp] for gs://)"
        ) from error
    found = {
        FoundFile(file.path, file.size_in_bytes, file.last_updated_in_seconds)
        for result in results
        for file in result.metadata_list
    }
    return sorted(found)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Opens a file for reading; decompresses it if its name ends in .gz or .tgz.

    Raises:
        SourceError: The file cannot be read, at any point within the `with` block.
    """
    try:
        # Beam's own decompression raises a TypeError for a truncated .gz file.
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            if path.lower().endswith((".gz", ".tgz")):
                # GzipFile's own buffer costs a Python call for each small read.
                with io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=file)), 1 << 16) as unpacked:
                    yield unpacked
            else:
                yield cast(IO[bytes], file)
    except (BeamIOError, OSError, EOFError, zlib.error, tarfile.TarError, ArrowException) as error:
        raise SourceError(
            f"data.source: cannot read {path}: {_one_line(error)}; the file may be damaged or incomplete, or its "
            "format may differ from its name (see data.format)"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

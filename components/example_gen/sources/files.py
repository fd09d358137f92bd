"""Finding and opening files on any filesystem that Beam knows."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, NamedTuple, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from pyarrow import ArrowException

from imdb_core.errors import SourceError

_BUFFER_BYTES: Final = 1 << 16
_GZIP_SUFFIXES: Final = (".gz", ".tgz")


class Found(NamedTuple):
    """A file that exists.

    Attributes:
        path: as a Beam filesystem names it.
        size: bytes.
        changed: seconds since 1970.
    """

    path: str
    size: int
    changed: float


def find(*patterns: str) -> list[Found]:
    """Lists the files that match any of the paths or globs, sorted by path; reads nothing.

    Raises:
        SourceError: the filesystem is unknown or does not answer.
    """
    try:
        results = FileSystems.match(list(patterns))
    except (BeamIOError, OSError, ValueError) as error:
        raise SourceError(
            f"data.source: cannot list {', '.join(patterns)}: {_one_line(error)}; check the path, your access rights, "
            "and that the extra of Apache Beam for this filesystem is installed (for gs://, apache-beam[gcp])"
        ) from error
    found = {
        Found(file.path, file.size_in_bytes, file.last_updated_in_seconds)
        for result in results
        for file in result.metadata_list
    }
    return sorted(found)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Opens a file for reading, unpacked on the fly where its name ends in .gz or .tgz.

    Raises:
        SourceError: it cannot be read, at whatever point within the `with` block.
    """
    try:
        # Beam's own unpacking meets a truncated .gz with a TypeError.
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            if path.lower().endswith(_GZIP_SUFFIXES):
                # GzipFile's own buffer is behind Python calls, which small reads would feel.
                with io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=file)), _BUFFER_BYTES) as unpacked:
                    yield unpacked
            else:
                yield cast(IO[bytes], file)
    except (BeamIOError, OSError, EOFError, zlib.error, tarfile.TarError, ArrowException) as error:
        raise SourceError(
            f"data.source: cannot read {path}: {_one_line(error)}; the file may be damaged, incomplete, or of another "
            "format than its name says (see data.format)"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

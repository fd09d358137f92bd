"""Reads the gzipped TFRecord files that nodes pass on, and detects files that were cut off or damaged.

TensorFlow's own reader accepts a gzip file that was cut off after a complete record; with short records that is one
place in ten. Python's gzip requires the end of the file and its checksum, and needs no import of TensorFlow.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final, TypeVar

from imdb_core.errors import BadDataError

# A record consists of its length, a checksum of the length, the content, and a checksum of the content. These are not
# verified, because gzip's checksum covers everything.
_LENGTH: Final = struct.Struct("<Q")
_CHECKSUM: Final = 4

# The number of bytes per read: a damaged length can be any number.
_MOST: Final = 1 << 20


def read_records(files: Iterable[str], open_file: Callable[[str, str], IO[Any]]) -> Iterator[bytes]:
    """Yields the records of gzipped TFRecord files, one file after the other.

    `open_file` opens them: `open`, or `tf.io.gfile.GFile` for files that may be remote.

    Raises:
        BadDataError: A file is not a gzip file, was cut off, or is damaged. This may become known only after its last
            record.
    """
    for file in files:
        try:
            with open_file(file, "rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
                yield from _records(unpacked)
                if not packed.tell():
                    raise EOFError("it is empty")
        except (EOFError, gzip.BadGzipFile, zlib.error, struct.error) as error:
            raise BadDataError(
                f"cannot read {file}: {error}; it was cut off or damaged after it was written: delete "
                f"{_artifact_folder(file)}, so that its node writes it again, and run again"
            ) from error


def _records(stream: gzip.GzipFile) -> Iterator[bytes]:
    while header := stream.read(_LENGTH.size + _CHECKSUM):
        (length,) = _LENGTH.unpack_from(header)
        yield _read_all(stream, length + _CHECKSUM)[:length]


def _read_all(stream: gzip.GzipFile, size: int) -> bytes:
    pieces = []
    while size:
        if not (piece := stream.read(min(size, _MOST))):
            raise EOFError("the last record is incomplete")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _artifact_folder(file: str) -> str:
    folder = os.path.dirname(file)
    return os.path.dirname(folder) if os.path.basename(folder).startswith("Split-") else folder


Item = TypeVar("Item")


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Splits items into lists of `size`, the last possibly shorter; takes no more items than the next list needs."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch

"""Reads the gzipped TFRecord files that nodes hand on, to their very end.

TensorFlow's own reader takes a gzip file that was cut off after a whole record for a complete one; where records are
short, that is one place in ten. Python's gzip asks for the end and its checksum, and needs no import of TensorFlow.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final, TypeVar

from imdb_core.errors import BadDataError

# A record: its length, a checksum of that, the content, a checksum of that. gzip's own checksum covers all of it.
_LENGTH: Final = struct.Struct("<Q")

_CHECKSUM: Final = 4

# Bytes asked for at once: a damaged length may be any.
_MOST: Final = 1 << 20

_SPLIT_FOLDER: Final = "Split-"


def read_records(files: Iterable[str], open_file: Callable[[str, str], IO[Any]]) -> Iterator[bytes]:
    """Reads files one after the other, record by record.

    Args:
        files: gzipped TFRecord files.
        open_file: opens one: `open`, or `tf.io.gfile.GFile` where it may lie in a bucket.

    Yields:
        The records.

    Raises:
        BadDataError: a file is cut off or damaged, or is no gzip file. It may be found only after its last record.
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
                f"{_artifact_folder(file)}, so that the node which wrote it does so again, and run again"
            ) from error


def _records(stream: gzip.GzipFile) -> Iterator[bytes]:
    while header := stream.read(_LENGTH.size + _CHECKSUM):
        (length,) = _LENGTH.unpack_from(header)
        yield _read_all(stream, length + _CHECKSUM)[:length]


def _read_all(stream: gzip.GzipFile, size: int) -> bytes:
    pieces = []
    while size:
        if not (piece := stream.read(min(size, _MOST))):
            raise EOFError("the last record is not whole")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _artifact_folder(file: str) -> str:
    folder = os.path.dirname(file)
    return os.path.dirname(folder) if os.path.basename(folder).startswith(_SPLIT_FOLDER) else folder


Item = TypeVar("Item")


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cuts a sequence into lists, taking no more of it than the list at hand needs.

    Args:
        items: of any number.
        size: of each list but the last.
    """
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch

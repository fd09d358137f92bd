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
from typing import IO, Any, Final

from components.errors import BadDataError

# A record: its length, a checksum of that, the content, a checksum of that. gzip's own checksum covers all of it.
_LENGTH: Final = struct.Struct("<Q")
_CHECKSUM: Final = 4
# Bytes asked for at once: a damaged length may be any.
_MOST: Final = 1 << 20
_SPLIT_FOLDER: Final = "Split-"


def read_records(file: str, open_file: Callable[[str, str], IO[Any]]) -> Iterator[bytes]:
    """Reads a file, record by record.

    Args:
        file: a gzipped TFRecord file.
        open_file: opens it: `open`, or `tf.io.gfile.GFile` where it may lie in a bucket.

    Yields:
        The records.

    Raises:
        BadDataError: the file is cut off or damaged, or is no gzip file. It may be found only after the last record.
    """
    try:
        with open_file(file, "rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
            begun = False
            while header := unpacked.read(_LENGTH.size + _CHECKSUM):
                begun = True
                (length,) = _LENGTH.unpack_from(header)
                yield _read_all(unpacked, length + _CHECKSUM)[:length]
            if not begun and not packed.tell():
                raise EOFError("it is empty")
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error) as error:
        raise BadDataError(
            f"cannot read {file}: {error}; it was cut off or damaged after it was written: delete "
            f"{_artifact_folder(file)}, so that the node which wrote it does so again, and run again"
        ) from error


def in_batches(records: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Groups records.

    Args:
        records: in their order.
        size: of a batch; the last one may be smaller.
    """
    remaining = iter(records)
    while batch := list(islice(remaining, size)):
        yield batch


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

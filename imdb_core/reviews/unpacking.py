"""Unpacks files by their content, whatever their names say."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Final, cast

from imdb_core.excerpts import excerpt
from imdb_core.reviews.errors import ReviewsError

HEAD: Final = 1 << 16
_TAR_MAGIC: Final = slice(257, 262)
_BLOCK: Final = 1 << 16
# What damaged or cut off files raise.
DAMAGED: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


class Peekable(io.RawIOBase):
    """A stream whose start can be looked at before it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._head = b""

    def peek(self, size: int) -> bytes:
        """Returns up to `size` bytes from the start, fewer only at the end of the stream."""
        while len(self._head) < size and (block := self._stream.read(size - len(self._head))):
            self._head += block
        return self._head[:size]

    def readable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See io.RawIOBase."""
        block = self._head[: len(buffer)] if self._head else self._stream.read(len(buffer))
        self._head = self._head[len(block) :]
        buffer[: len(block)] = block
        return len(block)


def compression_of(head: bytes) -> str:
    """Returns the name of the compression of a file by its first bytes; empty if it has none."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh"):
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    return "zstd" if head.startswith(b"\x28\xb5\x2f\xfd") else ""


def container_of(head: bytes) -> str:
    """Returns `tar` or `zip` if the first bytes are those of such an archive; empty if not."""
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    return "tar" if head[_TAR_MAGIC] == b"ustar" else ""


@contextmanager
def uncompressed(stream: IO[bytes]) -> Iterator[tuple[Peekable, list[str]]]:
    """Removes all compressions of a stream; yields the content and the names of the compressions, outermost first."""
    with ExitStack() as stack:
        names: list[str] = []
        found = Peekable(stream)
        while name := compression_of(found.peek(8)):
            names.append(name)
            found = Peekable(stack.enter_context(_opened(name, io.BufferedReader(found, _BLOCK))))
        yield found, names


def _opened(name: str, stream: IO[bytes]) -> Any:
    match name:
        case "gzip":
            # GzipFile's own buffer costs a Python call for each small read.
            return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=stream)), _BLOCK)
        case "bzip2":
            return bz2.BZ2File(stream)
        case "xz":
            return lzma.LZMAFile(stream)
        case _:
            return _Zstd(stream)


class _Zstd(io.RawIOBase):
    """A zstd stream; pyarrow's reader takes the end of a file that was cut off for the end of the content."""

    def __init__(self, stream: IO[bytes]) -> None:
        import zstandard

        self._stream = stream
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new()
        self._pending = b""
        self._rest = b""
        self._ended = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._pending:
            block = self._rest or self._stream.read(_BLOCK)
            if not block:
                if not self._ended:
                    raise EOFError("the zstd frame is cut off")
                return 0
            if self._ended and self._frame.eof:
                self._frame = self._new()
            self._ended, self._rest = False, b""
            try:
                self._pending = self._frame.decompress(block)
            except Exception as error:
                raise OSError(f"not a zstd frame: {error}") from error
            if self._frame.eof:
                self._ended, self._rest = True, self._frame.unused_data
        block = self._pending[: len(buffer)]
        self._pending = self._pending[len(block) :]
        buffer[: len(block)] = block
        return len(block)


def one_line(error: Exception) -> str:
    """Returns the message of an error on one line."""
    return excerpt(" ".join(str(error).split())) or type(error).__name__


def damaged(source: str, error: Exception, where: str = "") -> ReviewsError:
    """Returns the error for a file that is damaged."""
    return ReviewsError(
        f"cannot read {excerpt(source, 500)}: {one_line(error)}{where}; it may be damaged or incomplete: get a new copy"
    )

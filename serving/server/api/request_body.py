"""Reads the body of an HTTP request, also a compressed one, within a limit of its size."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Final

import grpc
from starlette.requests import ClientDisconnect, Request

from serving.server.errors import ServingError, invalid_argument

_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's code for a gzip header and trailer
_PIECE: Final = 2**16


class UnreadBodyError(ServingError):
    """A body that the server does not read to its end; the connection cannot be used again.

    Args:
        status: The HTTP status.
        message: The message.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, message)
        self.status = status


class ClientGoneError(ServingError):
    """The client has closed its connection; nobody reads the answer."""

    def __init__(self) -> None:
        super().__init__(grpc.StatusCode.CANCELLED, "The client has closed the connection")


async def read_body(request: Request, max_bytes: int, reserve: Callable[[int], None]) -> bytes:
    """Reads a body, unpacked if its `Content-Encoding` contains `gzip`, as for TensorFlow Serving.

    Args:
        request: The request.
        max_bytes: Maximum size of the body, unpacked.
        reserve: Called with the size of each piece that is kept.

    Raises:
        ServingError: UnreadBodyError with 415 for another compression, and with 413 for a longer body; ClientGoneError;
            INVALID_ARGUMENT for damaged gzip; the errors of `reserve`.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if "gzip" in encoding:
        pieces = _unpacked(request.stream())
    elif encoding in ("", "identity"):
        pieces = request.stream()
    else:
        raise UnreadBodyError(
            415, f"Content-Encoding {encoding!r} is not supported; send the body with gzip or without compression"
        )
    body = bytearray()
    try:
        async for piece in pieces:
            body += piece
            if len(body) > max_bytes:
                raise UnreadBodyError(413, f"Request body is larger than {max_bytes} bytes")
            reserve(len(piece))
    except ClientDisconnect:
        raise ClientGoneError from None
    return bytes(body)


async def _unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Unpacks gzip in pieces of at most 64 KiB, however much a chunk unpacks to."""
    unpacker = zlib.decompressobj(_GZIP)
    began = False
    async for chunk in chunks:
        rest = chunk
        while rest:
            if unpacker.eof:  # a file of several members
                unpacker = zlib.decompressobj(_GZIP)
            try:
                piece = unpacker.decompress(rest, _PIECE)
            except zlib.error as error:
                raise _damaged(str(error)) from None
            began = True
            rest = unpacker.unconsumed_tail or unpacker.unused_data
            yield piece
            await asyncio.sleep(0)  # a small chunk may unpack to much; the other clients go on meanwhile
    if began and not unpacker.eof:
        raise _damaged("the data ends early")


def _damaged(problem: str) -> ServingError:
    return invalid_argument(f"The request body is not valid gzip: {problem}")

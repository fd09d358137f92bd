from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from serving.server.api.request_body import ClientGoneError, UnreadBodyError, read_body
from serving.server.errors import ServingError

BODY = b'{"instances": ["a review"]}'
PACKED = gzip.compress(BODY, mtime=0)


class Sent(Request):
    """A request whose body arrives in these chunks; a None is the end of the connection."""

    def __init__(self, *chunks: bytes | None, encoding: str = "") -> None:
        super().__init__({"type": "http", "headers": [(b"content-encoding", encoding.encode())]})
        self.chunks = chunks

    async def stream(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if chunk is None:
                raise ClientDisconnect
            yield chunk


def body_of(*chunks: bytes | None, encoding: str = "", most: int = 2**20) -> tuple[bytes, int]:
    """Returns the body and the number of bytes that were reserved for it."""
    reserved: list[int] = []
    body = asyncio.run(read_body(Sent(*chunks, encoding=encoding), most, reserved.append))
    return body, sum(reserved)


@given(st.lists(st.binary()), st.integers(1, 50))
def test_a_body_is_the_same_packed_or_not_and_however_it_is_cut(pieces: list[bytes], size: int) -> None:
    body = b"".join(pieces)
    assert body_of(*pieces) == (body, len(body))
    packed = b"".join(map(gzip.compress, pieces))  # as many members as pieces
    chunks = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert body_of(*chunks, encoding="gzip") == (body, len(body))


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "my_gzip"])
def test_an_encoding_with_gzip_in_its_name_is_gzip(encoding: str) -> None:
    assert body_of(PACKED, encoding=encoding)[0] == BODY


def test_identity_is_no_compression() -> None:
    assert body_of(BODY, encoding="identity")[0] == BODY


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd"])
def test_another_compression_is_refused(encoding: str) -> None:
    with pytest.raises(UnreadBodyError, match=f"'{encoding}' is not supported; send the body with gzip") as refused:
        body_of(BODY, encoding=encoding)
    assert refused.value.status == 415


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (BODY, "is not valid gzip: .*incorrect header"),
        (PACKED[:-9], "is not valid gzip: the data ends early"),
        (PACKED[:5], "is not valid gzip: the data ends early"),
        (PACKED[:-1] + b"x", "is not valid gzip: .*incorrect"),
        (PACKED + b"more", "is not valid gzip: .*incorrect header"),
    ],
    ids=["not packed", "no trailer", "no content", "another checksum", "something after it"],
)
def test_damaged_gzip_is_refused(packed: bytes, message: str) -> None:
    with pytest.raises(ServingError, match=f"INVALID_ARGUMENT: The request body {message}"):
        body_of(packed, encoding="gzip")


@pytest.mark.parametrize(("chunk", "encoding"), [(b"x" * 1001, ""), (gzip.compress(b"x" * 2**24), "gzip")])
def test_a_body_beyond_the_limit_is_refused_before_it_is_all_unpacked(chunk: bytes, encoding: str) -> None:
    reserved: list[int] = []
    with pytest.raises(UnreadBodyError, match="Request body is larger than 1000 bytes") as refused:
        asyncio.run(read_body(Sent(chunk, encoding=encoding), 1000, reserved.append))
    assert refused.value.status == 413
    assert sum(reserved) <= 1000


def test_a_client_that_leaves_is_noticed() -> None:
    with pytest.raises(ClientGoneError):
        body_of(BODY, None)

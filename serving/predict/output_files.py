"""Writes predictions and pages to files of the user."""

import contextlib
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from imdb_core.disk import describe_full_disk, is_full_disk
from imdb_core.files import LocalFiles, replacing
from serving.client.errors import ReviewFileError
from serving.client.review_files import GZIP


class _UserFiles(LocalFiles):
    """The user's own folders."""

    def makedirs(self, path: str, /) -> None:
        """Does nothing: a folder that does not exist is probably misspelt."""


def json_line(origin: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Formats one line of output from a review's `origin` and its prediction."""
    return json.dumps({**origin, **answer}, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[IO[str]]:
    """Opens a file that appears, complete, when the block ends; if the block fails, nothing changes.

    It is compressed if its name ends with `.gz`. Devices such as /dev/null are written in place.

    Raises:
        ReviewFileError: The file cannot be written.
    """
    try:
        with replacing(path, _UserFiles()) as partial, open(partial, "wb") as file:
            # Without name and time in the gzip header, the same predictions give the same bytes.
            raw = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.resolve().suffix == GZIP else file
            with io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as text:
                yield text
    except OSError as error:
        if is_full_disk(error):
            raise ReviewFileError(
                f"cannot write {path}: {describe_full_disk([path.parent], 'the answers need more')}"
            ) from None
        raise ReviewFileError(f"cannot write {path}: {error.strerror}; give a file in a folder that exists") from None

"""Downloading one large file: resumable, verified, and never half there under its own name."""

import hashlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from imdb_core.errors import SourceError
from imdb_core.progress import PROGRESS_LOGGER

_LOG: Final = logging.getLogger(PROGRESS_LOGGER)
_BLOCK_BYTES: Final = 1 << 18
_TIMEOUT_SECONDS: Final = 60.0
_PROGRESS_SHARE: Final = 0.1
_RETRIED: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_MEGABYTE: Final = 1e6

Progress = Callable[[int, int | None], None]


def fetch(
    url: str,
    sha256: str,
    path: Path,
    progress: Progress | None = None,
    *,
    attempts: int = 5,
    backoff_seconds: float = 1.0,
) -> None:
    """Makes sure that `path` holds the file of that checksum, downloading what is missing of it.

    What has come in so far is kept beside it as `NAME.part` and is continued, now or by a later call, where the server
    knows HTTP ranges. An existing `path` of another checksum is replaced.

    Args:
        url: http or https.
        sha256: of the whole file, in hex.
        path: where the file shall be; its folder is made.
        progress: called with the bytes there are and the bytes there will be (None where the server does not say).
        attempts: connections in a row that may bring nothing new before it gives up.
        backoff_seconds: pause after the first of these; doubled after each.

    Raises:
        SourceError: the server refuses, cannot be reached, or sends something else.
    """
    if not url.startswith(("http://", "https://")):
        raise SourceError(f"data.download_url = {url!r} must start with http:// or https://")
    if path.is_file() and _digest(path) == sha256.lower():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    resumed = part.exists() and part.stat().st_size > 0
    _complete(url, part, progress or _logged(url), attempts, backoff_seconds)
    if resumed and _digest(part) != sha256.lower():
        _LOG.info("what was left of an earlier download does not fit; downloading %s from the start", url)
        part.unlink()
        _complete(url, part, progress or _logged(url), attempts, backoff_seconds)
    found = _digest(part)
    if found != sha256.lower():
        part.unlink()
        raise SourceError(
            f"{url} sent a file of SHA-256 {found}, expected {sha256} (data.download_sha256); it was removed; try "
            "again, or correct the setting if the publisher changed the file"
        )
    os.replace(part, path)


def _complete(url: str, part: Path, progress: Progress, attempts: int, backoff_seconds: float) -> None:
    """Connects until the file is whole."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _transfer(url, part, progress):
                return
            problem = "the connection was closed early"
        except urllib.error.HTTPError as error:
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in _RETRIED:
                raise SourceError(
                    f"{url} answered {error.code} {error.reason}; check data.download_url, or download the file by "
                    "other means and set data.source to its path"
                ) from error
            problem = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            problem = str(error) or type(error).__name__
        failures = 0 if part.exists() and part.stat().st_size > before else failures + 1
        if failures >= attempts:
            raise SourceError(
                f"{url} could not be downloaded: {problem} ({attempts} attempts in a row); what there is stays in "
                f"{part} and the next run continues it; or set data.source to a copy of the file"
            )
        _LOG.info("download interrupted (%s), continuing", problem)
        time.sleep(backoff_seconds * 2 ** max(failures - 1, 0))


def _transfer(url: str, part: Path, progress: Progress) -> bool:
    """Makes one connection and appends what it brings.

    Returns:
        Whether the file is whole.
    """
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url)  # noqa: S310  - fetch has checked the scheme
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310  - as above
    except urllib.error.HTTPError as error:
        # Nothing lies beyond what there is: it is whole, or not of this file; the checksum tells.
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True
        raise
    with response:
        continued = (
            response.status == HTTPStatus.PARTIAL_CONTENT
            and (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-")
        )  # fmt: skip
        length = response.headers.get("Content-Length")
        done = start if continued else 0
        total = done + int(length) if length else None
        with part.open("ab" if continued else "wb") as file:
            while block := response.read(_BLOCK_BYTES):
                file.write(block)
                done += len(block)
                progress(done, total)
    # Without a length, a connection that closes cannot be told from the end; the checksum can.
    return total is None or done >= total


def _logged(url: str) -> Progress:
    """A progress callback that logs every tenth of the way."""
    next_share = 0.0

    def log(done: int, total: int | None) -> None:
        nonlocal next_share
        if total and done / total >= next_share:
            _LOG.info("downloading %s: %.1f of %.1f MB", url, done / _MEGABYTE, total / _MEGABYTE)
            next_share = done / total + _PROGRESS_SHARE

    return log


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()

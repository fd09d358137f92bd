"""Downloads the official IMDB archive: resumable, and checked before it takes its final name."""

import hashlib
import logging
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx

from imdb_core import files
from imdb_core.connections import trusts_environment
from imdb_core.errors import SourceError
from imdb_core.progress import PROGRESS_LOGGER
from imdb_core.settings import DataSettings

_LOG: Final = logging.getLogger(PROGRESS_LOGGER)
_RETRIED: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_REMEDY: Final = "check data.download_url, or download the file by other means and set data.source to its path"

# Receives the number of bytes so far, and the total number or None if the server does not send it.
_Log = Callable[[int, int | None], None]


def archive_path(data: DataSettings, cache_dir: str) -> str:
    """Returns the path in the cache of the archive for the source `imdb`."""
    return f"{cache_dir}/{data.download_url.rstrip('/').rsplit('/', 1)[-1]}"


def download_archive(data: DataSettings, cache_dir: str) -> None:
    """Downloads the archive for the source `imdb` unless the cache holds it.

    Raises:
        SourceError: The cache is not a local folder, or the download fails.
    """
    if "://" in cache_dir:
        raise SourceError(
            f"data.source = 'imdb' downloads to a local folder, not to {cache_dir}; download {data.download_url} "
            "yourself and set data.source to the archive's path"
        )
    fetch(data.download_url, data.download_sha256, Path(archive_path(data, cache_dir)))


def fetch(url: str, sha256: str, path: Path, *, attempts: int = 5, backoff_seconds: float = 1.0) -> None:
    """Makes sure that `path` holds the file with this checksum, and downloads what is missing.

    An incomplete download stays next to it as `NAME.part`; this call or a later one resumes it if the server supports
    HTTP ranges. A file at `path` with another checksum is replaced.

    Args:
        url: Address of the file, http or https.
        sha256: Checksum of the whole file, in hexadecimal.
        path: Target of the download; its folder is created if missing.
        attempts: Number of consecutive connections without new bytes after which the download fails.
        backoff_seconds: Pause after the first such connection; doubled after each further one.

    Raises:
        SourceError: The server refuses, cannot be reached, or sends a file with another checksum.
    """
    if not url.startswith(("http://", "https://")):
        raise SourceError(f"data.download_url = {url!r} must start with http:// or https://")
    sha256 = sha256.lower()
    if path.is_file() and _digest(path) == sha256:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    resumed = _size(part) > 0
    found = _complete(url, part, attempts, backoff_seconds)
    if resumed and found != sha256:
        _LOG.info("an earlier partial download does not match; downloading %s from the start", url)
        part.unlink()
        found = _complete(url, part, attempts, backoff_seconds)
    if found != sha256:
        part.unlink()
        raise SourceError(
            f"{url} sent a file with SHA-256 {found}, expected {sha256} (data.download_sha256); the file was removed; "
            "try again, or correct the setting if the publisher changed the file"
        )
    files.LOCAL.rename(str(part), str(path))


def _complete(url: str, part: Path, attempts: int, backoff_seconds: float) -> str:
    """Connects until the file is complete, and returns its checksum."""
    log, failures = _each_tenth(url), 0
    while True:
        before = _size(part)
        try:
            if _transfer(url, part, log):
                return _digest(part)
            problem = "the connection was closed early"
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            problem = f"{status} {error.response.reason_phrase}"
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _RETRIED:
                raise SourceError(f"{url} answered {problem}; {_REMEDY}") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects, ValueError) as error:
            raise SourceError(f"{url} could not be downloaded: {error}; {_REMEDY}") from error
        except (OSError, httpx.HTTPError) as error:
            problem = str(error) or type(error).__name__
        failures = 0 if _size(part) > before else failures + 1
        if failures >= attempts:
            raise SourceError(
                f"{url} could not be downloaded: {problem} ({attempts} attempts in a row); the bytes so far stay in "
                f"{part} and the next run continues it; or set data.source to a copy of the file"
            )
        _LOG.info("download interrupted (%s), continuing", problem)
        time.sleep(backoff_seconds * 2 ** max(failures - 1, 0))


def _transfer(url: str, part: Path, log: _Log) -> bool:
    """Makes one connection and appends the received bytes; returns whether the file is complete."""
    start = _size(part)
    request = httpx.stream(
        "GET",
        url,
        # A compressed transfer could not be resumed at a byte of the file.
        headers={"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {}),
        timeout=60,  # seconds
        follow_redirects=True,
        verify=ssl.create_default_context(),  # the certificates of the system, not httpx's own
        trust_env=trusts_environment(httpx.URL(url).host),
    )
    with request as response:
        # No bytes follow those in `part`: the file is complete or another file, which the checksum decides.
        if start and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True
        response.raise_for_status()
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        continued = response.status_code == HTTPStatus.PARTIAL_CONTENT and resumes
        length = response.headers.get("Content-Length")
        done = start if continued else 0
        total = done + int(length) if length else None
        with part.open("ab" if continued else "wb") as file:
            try:
                for block in response.iter_raw():
                    file.write(block)
                    done += len(block)
                    log(done, total)
            except httpx.RemoteProtocolError:
                return False  # the body ended before its announced end
    # Without a length, the end of the file cannot be told from a lost connection; the checksum decides.
    return total is None or done >= total


def _each_tenth(url: str) -> _Log:
    """Returns a function that logs progress at the first call and after each further tenth of the file."""
    next_share = 0.0

    def log(done: int, total: int | None) -> None:
        nonlocal next_share
        if total and done / total >= next_share:
            _LOG.info("downloading %s: %.1f of %.1f MB", url, done / 1e6, total / 1e6)
            next_share = done / total + 0.1

    return log


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 18):
            digest.update(block)
    return digest.hexdigest()

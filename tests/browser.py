"""A headless Chromium for pages that people look at, and what such a page must not do."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

DESKTOP = (1280, 900)
PHONE = (390, 844)

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing that a browser does of its own accord may look like a request of the page.
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
_UPDATE = ["apt-get", "update", "-qq"]
_INSTALL = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]


def chromium() -> str | None:
    """The path of a Chromium; Debian's is installed where root may. None where there is none to be had."""
    if found := _on_path():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        # Tests run side by side, and apt-get refuses to.
        with open(Path(tempfile.gettempdir(), "install-chromium.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for command in () if _on_path() else (_UPDATE, _INSTALL):
                subprocess.run(
                    command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False, capture_output=True
                )
    return _on_path()


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what went wrong in it.

    Attributes:
        page: Playwright's.
        errors: of the console and of scripts.
        requests: addresses other than the page's own origin; `data:` and `blob:` leave the page no more than text.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def assert_clean(self) -> None:
        assert self.errors == []
        assert self.requests == []


@contextmanager
def opened(
    browser: Browser, address: str, size: tuple[int, int] = DESKTOP, color_scheme: str = "light"
) -> Iterator[Watched]:
    """Opens an address in a window of its own and listens from the first byte on."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=color_scheme,  # type: ignore[arg-type]  # a literal
    )
    watched = Watched(context.new_page())
    own = urlsplit(address)[:2]

    def request(url: str) -> None:
        if urlsplit(url)[:2] != own and urlsplit(url).scheme not in ("data", "blob"):
            watched.requests.append(url)

    watched.page.on("request", lambda sent: request(sent.url))
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    watched.page.on("console", lambda line: watched.errors.append(line.text) if line.type == "error" else None)
    watched.page.goto(address)
    yield watched
    context.close()

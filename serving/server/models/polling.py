"""Threads that look for changes periodically."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

_LOG: Final = logging.getLogger(__name__)


class Polling:
    """Calls functions periodically until it is stopped. All methods are thread-safe."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._warned: dict[str, str] = {}

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` has been called."""
        return self._stopping.is_set()

    def each(self, seconds: float, function: Callable[[], None], name: str) -> None:
        """Calls a function in a thread of this name, `seconds` after the start and after each call; logs exceptions."""

        def run() -> None:
            while not self._stopping.wait(seconds):
                try:
                    function()
                except Exception:
                    _LOG.exception("Unexpected error while polling the %s", name)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)  # only now, because another thread may join the list at any time

    def warn(self, about: str, problem: str) -> None:
        """Logs the problem of a thing when it first appears, not at every poll; an empty text ends it."""
        if problem and self._warned.get(about) != problem and not self.is_stopping:
            _LOG.warning(problem)
        self._warned[about] = problem

    def stop(self) -> None:
        """Prevents further calls, without waiting for those in progress."""
        self._stopping.set()

    def join(self, deadline: float) -> None:
        """Waits until `deadline`, by `time.monotonic()`, for the calls in progress."""
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

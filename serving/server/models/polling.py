"""Threads that look for changes again and again."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

_LOG: Final = logging.getLogger(__name__)


class Polling:
    """Calls functions periodically until it is stopped. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._warned: dict[str, str] = {}

    @property
    def is_stopping(self) -> bool:
        """Whether no call begins any more."""
        return self._stopping.is_set()

    def each(self, seconds: float, function: Callable[[], None], name: str) -> None:
        """Calls a function in a thread of its own, for the first time after one interval.

        Args:
            seconds: between the end of a call and the next one.
            function: what to call; its errors are logged.
            name: of the thread.
        """

        def run() -> None:
            while not self._stopping.wait(seconds):
                try:
                    function()
                except Exception:
                    _LOG.exception("polling %s failed in a way that it should not", name)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def warn(self, about: str, problem: str) -> None:
        """Logs a problem when it is new, not at each call that meets it.

        Args:
            about: what has the problem.
            problem: empty for none any more.
        """
        if problem and self._warned.get(about) != problem and not self.is_stopping:
            _LOG.warning(problem)
        self._warned[about] = problem

    def stop(self) -> None:
        """Lets no further call begin."""
        self._stopping.set()

    def join(self, deadline: float) -> None:
        """Waits for the calls that have begun.

        Args:
            deadline: of `time.monotonic()`.
        """
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

"""Waits for something that other threads or processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 30.0


def wait_until(condition: Callable[[], object], poll_seconds: float = 0.001) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(poll_seconds)

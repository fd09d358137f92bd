"""Ends a command in order when a person, a terminal or the system stops it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

import psutil

from imdb_core.temporary import remove_private_folders

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Twice as long as a server needs to stop; service managers wait longer before they kill.
_GRACE_SECONDS: Final = 20.0


class Stopped(KeyboardInterrupt):
    """A signal stops this process. It is no Exception, so nothing that handles errors swallows it.

    Attributes:
        signal: The signal.
        exit_code: The exit status of a command that ends because of it, 128 plus the signal's number.
    """

    def __init__(self, signal: signal.Signals) -> None:
        super().__init__(f"stopped by {signal.name}")
        self.signal = signal
        self.exit_code = 128 + signal


@contextmanager
def stopped_by_signals(grace_seconds: float = _GRACE_SECONDS) -> Iterator[None]:
    """Lets SIGINT, SIGTERM and SIGHUP raise Stopped in the main thread, so that `finally` blocks clean up.

    If the process still runs `grace_seconds` later, or when a second signal arrives, it ends at once: its children are
    killed and its private temporary folders removed. Signals that the process was told to ignore, as `nohup` does, stay
    ignored.

    In another thread than the main one, this does nothing: Python handles signals in the main thread alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        del frame
        stopped = Stopped(signal.Signals(number))
        if stopping:
            _end_at_once(stopped.exit_code)
        stopping = True
        # It stays armed afterwards: a thread of a library can keep Python from ending.
        watchdog = threading.Timer(grace_seconds, _end_at_once, (stopped.exit_code,))
        watchdog.daemon = True
        watchdog.start()
        raise stopped

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        if not stopping:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_at_once(exit_code: int) -> NoReturn:
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    remove_private_folders()
    os._exit(exit_code)

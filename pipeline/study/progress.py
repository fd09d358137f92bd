"""Reports the progress of a study and estimates the remaining time."""

import math
import threading
import time
from collections.abc import Callable, Collection

from imdb_core import progress
from pipeline.running.monitor import NodeUsage

_MINUTE = 60.0


class StudyProgress:
    """Reports after each training how many trainings of its preset are done, and how long the others will take.

    The estimate is the time that each of the trainings executed now took, counted from the start of the first, and so
    includes what goes on side by side; cached trainings do not count. Several threads may call this at once.
    """

    def __init__(self, preset: str, trainers: Collection[str], now: Callable[[], float] = time.monotonic) -> None:
        self._preset = preset
        self._trainers = trainers
        self._now = now
        self._done = 0
        self._executed = 0
        self._began = math.inf
        self._guard = threading.Lock()

    def __call__(self, usage: NodeUsage) -> None:
        """Counts a node that has ended, if it is one of the Trainers."""
        if usage.node not in self._trainers:
            return
        with self._guard:
            self._done += 1
            if usage.cached:
                return
            self._executed += 1
            self._began = min(self._began, self._now() - usage.seconds)
            left = len(self._trainers) - self._done
            seconds = left * (self._now() - self._began) / self._executed
        rest = f", about {duration(seconds)} left" if left else ""
        text = f"{self._done} of {len(self._trainers)} trainings of preset {self._preset} done{rest}"
        progress.tell(progress.Note(text), text)


def duration(seconds: float) -> str:
    """Formats a duration for people: `40 s`, `12 min`, `2 h 5 min`."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

"""Reports the progress of a study and estimates the remaining time."""

import gc
from collections.abc import Collection

from imdb_core import progress
from pipeline.running.monitor import NodeUsage

_MINUTE = 60.0


class StudyProgress:
    """Reports after each training how many trainings of its preset are done, and how long the others will take.

    The estimate is the mean time of the trainings executed now; cached trainings do not count.
    """

    def __init__(self, preset: str, trainers: Collection[str]) -> None:
        self._preset = preset
        self._trainers = trainers
        self._done = 0
        self._seconds: list[float] = []

    def __call__(self, usage: NodeUsage) -> None:
        """Counts a node that has ended, if it is one of the Trainers."""
        if usage.node not in self._trainers:
            return
        self._done += 1
        if usage.cached:
            return
        # A network is part of reference cycles, and keeps its training examples alive.
        gc.collect()
        self._seconds.append(usage.seconds)
        left = len(self._trainers) - self._done
        rest = f", about {duration(left * sum(self._seconds) / len(self._seconds))} left" if left else ""
        text = f"{self._done} of {len(self._trainers)} trainings of preset {self._preset} done{rest}"
        progress.tell(progress.Note(text), text)


def duration(seconds: float) -> str:
    """Formats a duration for people: `40 s`, `12 min`, `2 h 5 min`."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

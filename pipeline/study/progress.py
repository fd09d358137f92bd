"""How far a study is, and how long it still takes."""

import gc
from collections.abc import Collection

from imdb_core import progress
from pipeline.running.monitor import NodeUsage

_MINUTE = 60.0


class StudyProgress:
    """Tells after each training how many of its preset are done, and about how long the others take.

    The estimate is the mean of those trained now; those taken from the cache say nothing of time.

    Args:
        preset: its name.
        trainers: ids of its Trainers.
    """

    def __init__(self, preset: str, trainers: Collection[str]) -> None:
        self._preset = preset
        self._trainers = trainers
        self._done = 0
        self._seconds: list[float] = []

    def __call__(self, usage: NodeUsage) -> None:
        """Takes the end of a node; all but Trainers are ignored."""
        if usage.node not in self._trainers:
            return
        self._done += 1
        if usage.cached:
            return
        # A network refers to itself in circles, and holds the examples it was trained on.
        gc.collect()
        self._seconds.append(usage.seconds)
        left = len(self._trainers) - self._done
        rest = f", about {duration(left * sum(self._seconds) / len(self._seconds))} left" if left else ""
        text = f"{self._done} of {len(self._trainers)} trainings of preset {self._preset} done{rest}"
        progress.tell(progress.Note(text), text)


def duration(seconds: float) -> str:
    """Says how long something takes, as people do: `40 s`, `12 min`, `2 h 5 min`."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

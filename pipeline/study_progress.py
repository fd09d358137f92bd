"""How far a study is, and how long it still takes."""

import gc
import logging
from collections.abc import Collection

from components import reviews
from pipeline.progress import NodeUsage

_progress = logging.getLogger(reviews.PROGRESS_LOGGER)

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
        _progress.info(
            "%d of %d trainings of preset %s done%s",
            self._done,
            len(self._trainers),
            self._preset,
            f", about {duration(left * sum(self._seconds) / len(self._seconds))} left" if left else "",
        )


def duration(seconds: float) -> str:
    """Says how long something takes, as people do: `40 s`, `12 min`, `2 h 5 min`."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

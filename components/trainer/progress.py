"""Progress of a training."""

import time
from collections.abc import Callable
from typing import Final

from components.trainer.loop import EpochMetrics, Score
from imdb_core import progress
from imdb_core.settings import TrainingSettings

_TELL_SECONDS: Final = 0.5


class TrainingProgress:
    """Reports the progress within each epoch, and logs a line per epoch.

    Args:
        node: Id of the node that trains.
        training: Settings of the training.
        examples: Number of examples per epoch.
    """

    def __init__(self, node: str, training: TrainingSettings, examples: int) -> None:
        self.node = node
        self.training = training
        self.examples = examples
        self.epoch = 1
        self._started = self._told = time.monotonic()

    def begin_epoch(self, epoch: int) -> None:
        """Starts the clock of an epoch, counted from 1."""
        self.epoch = epoch
        self._started = time.monotonic()

    def end_batch(self, done: int, metrics: Callable[[], EpochMetrics]) -> None:
        """Reports the progress within the epoch, at most twice a second; see `TrainingLoop.run_epoch`."""
        if time.monotonic() - self._told < _TELL_SECONDS:
            return
        self._told = time.monotonic()
        stage = f"epoch {self.epoch}/{self.training.epochs}"
        measured = metrics()
        shown = {"loss": measured.log_loss, "accuracy": measured.accuracy}
        progress.tell(progress.Steps(done, self.examples, "examples", stage, shown))

    def end_epoch(self, metrics: EpochMetrics, score: Score | None) -> None:
        """Logs the metrics and the duration of the epoch; `score` is that of the eval split, if there is one."""
        shown = {"loss": metrics.log_loss, "accuracy": metrics.accuracy}
        if score is not None:
            shown |= {progress.EVAL_LOSS: score.log_loss, "eval accuracy": score.accuracy}
        progress.tell(
            progress.EpochEnd(self.epoch, self.training.epochs, shown),
            f"{self.node} epoch {self.epoch}/{self.training.epochs}  {progress.shown(shown)}  "
            f"{time.monotonic() - self._started:.0f} s",
        )

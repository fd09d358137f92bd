"""Progress of a training."""

import time
from collections.abc import Mapping
from typing import Final

import keras

from imdb_core import progress
from imdb_core.settings import TrainingSettings

_TELL_SECONDS: Final = 0.5


class TrainingProgress(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Reports the progress within each epoch, and logs a line per epoch.

    Args:
        node: Id of the node that trains.
        training: Settings of the training.
        examples: Number of examples per epoch.
        loss: The key of Keras's logs to report as the loss.
    """

    def __init__(self, node: str, training: TrainingSettings, examples: int, *, loss: str) -> None:
        super().__init__()
        self.node = node
        self.training = training
        self.examples = examples
        self.loss = loss
        self._epoch = 1
        self._started = self._told = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Starts the clock of the epoch."""
        self._epoch = epoch + 1
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Reports the progress within the epoch, at most twice a second."""
        if time.monotonic() - self._told < _TELL_SECONDS:
            return
        self._told = time.monotonic()
        done = min((batch + 1) * self.training.batch_size, self.examples)
        stage = f"epoch {self._epoch}/{self.training.epochs}"
        progress.tell(progress.Steps(done, self.examples, "examples", stage, self._measured(logs)))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Logs the metrics and the duration of the epoch."""
        metrics = self._measured(logs)
        progress.tell(
            progress.EpochEnd(epoch + 1, self.training.epochs, metrics),
            f"{self.node} epoch {epoch + 1}/{self.training.epochs}  {progress.shown(metrics)}  "
            f"{time.monotonic() - self._started:.0f} s",
        )

    def _measured(self, logs: Mapping[str, float] | None) -> dict[str, float]:
        names = {"loss": self.loss, "accuracy": "accuracy"}
        names |= {progress.EVAL_LOSS: f"val_{self.loss}", "eval accuracy": "val_accuracy"}
        return {name: float(logs[key]) for name, key in names.items() if logs and key in logs}

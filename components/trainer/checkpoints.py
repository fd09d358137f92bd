"""Early stopping, the best weights, and a checkpoint after every epoch to resume from."""

import io
import json
import logging
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.trainer.optimizer import assign, averaged_variables, values_of
from imdb_core.errors import RunError
from imdb_core.files import replacing

_log = logging.getLogger(__name__)

_FILE: Final = "checkpoint.npz"
_PROGRESS: Final = "progress"
_Arrays = list[npt.NDArray[Any]]


class EpochCheckpoint:
    """Saves the full state of training after every epoch, so that it resumes as if never interrupted.

    The checkpoint is one file without pickles, replaced atomically. It holds the variables of the model and of the
    optimizer (including the averages of weights and the number of steps), the best weights so far and the history.
    Usage:

        checkpoint = EpochCheckpoint(folder, patience=2, monitor="val_loss")
        checkpoint.restore(model, optimizer)
        while checkpoint.epochs_done < 6 and not checkpoint.is_patience_over:
            ...
            checkpoint.end_epoch(metrics)
        checkpoint.keep_best()
        checkpoint.discard()  # after the model is saved

    Args:
        folder: Folder for this training alone; its name must change with the data and the settings.
        patience: Number of epochs without a better `monitor` after which training stops. With 0, or without values of
            `monitor`, training never stops early and keeps the last weights.
        monitor: The metric to minimise.

    Attributes:
        epochs_done: Number of finished epochs, including those of earlier runs.
        history: Name of a metric → one float per epoch.
    """

    def __init__(self, folder: str, patience: int, monitor: str) -> None:
        self.folder = folder
        self.patience = patience
        self.monitor = monitor
        self.epochs_done = 0
        self.history: dict[str, list[float]] = {}
        self._best: _Arrays = []

    def restore(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        """Restores the checkpoint, if there is one, into a model with its initial weights and its built optimizer.

        A damaged checkpoint causes a warning and is ignored; the next epoch overwrites it.
        """
        self._model, self._optimizer = model, optimizer
        path = os.path.join(self.folder, _FILE)
        if not tf.io.gfile.exists(path):
            return
        try:
            saved = _read(path)
            variables, states, best = (saved[kind] for kind in ("model", "optimizer", "best"))
            _check(variables, model.variables)
            _check(states, optimizer.variables)
            _check(best or variables, model.variables)
            progress = json.loads(str(saved[_PROGRESS][0]))
            epochs_done, history = int(progress["epochs_done"]), dict(progress["history"])
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, tf.errors.OpError) as error:
            _log.warning("the checkpoint %s cannot be used, training starts from the first epoch: %s", path, error)
            return
        assign(variables, model.variables)
        assign(states, optimizer.variables)
        self.epochs_done, self.history, self._best = epochs_done, history, best
        _log.info("training continues after epoch %d of an interrupted run", epochs_done)

    @property
    def is_patience_over(self) -> bool:
        """Whether training stops early, after the epochs done so far."""
        return self._stops_early() and self._epochs_since_best() >= self.patience

    def end_epoch(self, metrics: Mapping[str, float]) -> None:
        """Keeps the weights if they are the best so far, and saves the checkpoint.

        Args:
            metrics: Metrics of the epoch, with `loss` among them.

        Raises:
            RunError: The loss became NaN or infinite.
        """
        if not math.isfinite(metrics["loss"]):
            raise RunError(
                f"training broke down in epoch {self.epochs_done + 1}: the loss is {metrics['loss']}; "
                "lower training.learning_rate, or set training.mixed_precision = false"
            )
        for key, value in metrics.items():
            self.history.setdefault(key, []).append(value)
        self.epochs_done += 1
        if self._stops_early() and self._epochs_since_best() == 0:
            # `monitor` was measured with these weights.
            self._best = values_of(averaged_variables(self._model, self._optimizer))
        self._save()

    def keep_best(self) -> None:
        """Sets the model's weights to the best ones, without early stopping to the averages of the last ones."""
        assign(self._best or values_of(averaged_variables(self._model, self._optimizer)), self._model.variables)

    def discard(self) -> None:
        """Removes the checkpoint, once the trained model is saved elsewhere."""
        if tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)

    def _stops_early(self) -> bool:
        return self.patience > 0 and self.monitor in self.history

    def _epochs_since_best(self) -> int:
        values = [math.inf if math.isnan(value) else value for value in self.history[self.monitor]]
        return len(values) - 1 - values.index(min(values))

    def _save(self) -> None:
        progress = {"epochs_done": self.epochs_done, "history": self.history}
        kinds: dict[str, _Arrays] = {
            "model": values_of(self._model.variables),
            "optimizer": values_of(self._optimizer.variables),
            "best": self._best,
            _PROGRESS: [np.array(json.dumps(progress))],
        }
        arrays = {f"{kind}/{place:04d}": array for kind, found in kinds.items() for place, array in enumerate(found)}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        with (
            replacing(os.path.join(self.folder, _FILE), tf.io.gfile) as partial,
            tf.io.gfile.GFile(partial, "wb") as file,
        ):
            file.write(buffer.getvalue())


def _read(path: str) -> dict[str, _Arrays]:
    """Reads the arrays of a checkpoint by kind; the checksums of the zip format detect damage."""
    with tf.io.gfile.GFile(path, "rb") as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as arrays:
        kinds: dict[str, _Arrays] = {"model": [], "optimizer": [], "best": [], _PROGRESS: []}
        for name in sorted(arrays.files):
            kinds[name.split("/")[0]].append(arrays[name])
        return kinds


def _check(values: _Arrays, variables: Sequence[keras.Variable]) -> None:
    given = [(value.shape, value.dtype.name) for value in values]
    expected = [(tuple(variable.shape), str(variable.dtype)) for variable in variables]
    if given != expected:
        raise ValueError(f"it holds arrays of {given}, but the model has {expected}")

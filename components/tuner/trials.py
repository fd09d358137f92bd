"""The trials of the Tuner: a network trained as the Trainers do, and scored on `eval`."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples
from components.trainer.devices import needs_own_process, prepare_device
from components.trainer.fitting import OBJECTIVE, evaluate, fingerprint, fit
from imdb_core.child_process import run_in_child
from imdb_core.hyperparameters import with_values
from imdb_core.modes import Mode
from imdb_core.settings import ModelSettings, TrainingSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """What a network thinks of the `eval` reviews, with the weights that would be exported.

    Attributes:
        log_loss: without label smoothing.
        accuracy: share of reviews.
    """

    log_loss: float
    accuracy: float


@dataclass(frozen=True)
class TrialJob:
    """One training of a trial; can be sent to another process.

    Attributes:
        config: `mode`, `transform`, `model` and `training` as in `components.trainer.run_fn.run_fn`.
        train: at least one example.
        held_out: at least one example.
        folder: of the checkpoint.
    """

    config: Mapping[str, Any]
    train: Examples
    held_out: Examples
    folder: str


class Trials:
    """Scores hyperparameters, and remembers on disk which it has scored.

    Args:
        config: as of a `TrialJob`, with `code_digest` and without `mode`.
        modes: to train; a score is the mean of theirs.
        train: at least one example.
        held_out: at least one example.
        folder: for scores and checkpoints, where a later search finds them by all that they depend on.
    """

    def __init__(
        self, config: Mapping[str, Any], modes: Sequence[Mode], train: Examples, held_out: Examples, folder: str
    ) -> None:
        self.config = config
        self.modes = modes
        self.train = train
        self.held_out = held_out
        self.folder = folder
        self._used: set[str] = set()

    def score(self, values: Mapping[str, Any]) -> Score:
        """Trains each mode with some hyperparameters, unless it has been done before, from its last checkpoint on.

        Args:
            values: `section.key` → value.

        Raises:
            ValidationError: these settings do not go together.
            RunError: the loss became NaN or infinite.
        """
        config = with_values(self.config, values)
        ModelSettings.model_validate(config["model"])
        TrainingSettings.model_validate(config["training"])
        scores = [self._score({**config, "mode": mode}) for mode in self.modes]
        return Score(
            log_loss=float(np.mean([score.log_loss for score in scores])),
            accuracy=float(np.mean([score.accuracy for score in scores])),
        )

    def discard(self) -> None:
        """Forgets the scores that were asked for, and what trials that failed have left."""
        for folder in self._used:
            for path, remove in ((_score_file(folder), tf.io.gfile.remove), (folder, tf.io.gfile.rmtree)):
                if tf.io.gfile.exists(path):
                    remove(path)

    def _score(self, config: Mapping[str, Any]) -> Score:
        folder = os.path.join(self.folder, fingerprint(config, self.train, self.held_out))
        self._used.add(folder)
        file = _score_file(folder)
        if tf.io.gfile.exists(file):
            with tf.io.gfile.GFile(file) as opened:
                return Score(**json.loads(opened.read()))
        job = TrialJob(config, self.train, self.held_out, folder)
        own_process = needs_own_process(config["training"]["device"])
        score = run_in_child(train_and_score, job) if own_process else train_and_score(job)
        with tf.io.gfile.GFile(f"{file}.tmp", "w") as opened:
            opened.write(json.dumps(asdict(score)))
        tf.io.gfile.rename(f"{file}.tmp", file, overwrite=True)
        tf.io.gfile.rmtree(folder)
        return score


def train_and_score(job: TrialJob) -> Score:
    """Trains a network as a Trainer does, and scores it.

    Args:
        job: settings, examples and a place for its checkpoint.

    Raises:
        DeviceError: see `prepare_device`.
        RunError: the loss became NaN or infinite.
    """
    training = TrainingSettings.model_validate(job.config["training"])
    strategy = prepare_device(training)
    checkpoint = EpochCheckpoint(job.folder, training.patience, OBJECTIVE)
    model = fit(
        job.config,
        job.train,
        job.held_out,
        strategy=strategy,
        checkpoint=checkpoint,
        log_dir=os.path.join(job.folder, "logs"),
        progress=_epochs_to_log(job.config["mode"]),
    )
    measured = evaluate(model, job.held_out)
    return Score(measured["log_loss"], measured["accuracy"])


def draw(examples: Examples, count: int, seed: int) -> Examples:
    """Draws some examples, in their order.

    Args:
        examples: to draw from.
        count: how many; 0, or more than there are, takes all.
        seed: of the draw.
    """
    total = len(examples.labels)
    if not 0 < count < total:
        return examples
    rows = np.sort(np.random.default_rng(seed).permutation(total)[:count])
    return Examples(examples.token_ids[rows], examples.labels[rows])


def _score_file(folder: str) -> str:
    return f"{folder}.json"


def _epochs_to_log(mode: Mode) -> keras.callbacks.Callback:
    """Keeps the epochs of trials in the log file: on the terminal each trial has one line."""

    def end(epoch: int, logs: Mapping[str, float]) -> None:
        _log.info("trial, %s, epoch %d: %s", mode, epoch + 1, {key: round(value, 4) for key, value in logs.items()})

    return keras.callbacks.LambdaCallback(on_epoch_end=end)

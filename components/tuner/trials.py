"""The Tuner's trials: each trains networks as the Trainers do and scores them on the `eval` split."""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples
from components.trainer.devices import prepare_device
from components.trainer.fitting import OBJECTIVE, fingerprint, fit
from components.trainer.loop import EpochMetrics, Score, evaluator
from components.trainer.progress import TrainingProgress
from components.trainer.settings import FitSettings, trainer_id
from imdb_core.files import replacing
from imdb_core.hyperparameters import with_values

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialJob:
    """One training of a trial; `folder` is for its checkpoint."""

    settings: FitSettings
    examples: Examples
    held_out: Examples
    folder: str


@dataclass
class Trials:
    """Scores hyperparameters, and remembers the scores on disk.

    Attributes:
        networks: Current settings, one for each attention mode; a score is the mean over them.
        examples: Examples to train on, at least one.
        held_out: Examples to score on, at least one.
        folder: Folder for scores and checkpoints, which a later search finds by everything that determines a score.
    """

    networks: Sequence[FitSettings]
    examples: Examples
    held_out: Examples
    folder: str
    _used: set[str] = field(default_factory=set, init=False)

    def score(self, values: Mapping[str, Any]) -> Score:
        """Trains each mode with hyperparameters (`section.key` → value) and scores it, unless its score is known.

        An interrupted training resumes from its last checkpoint.

        Raises:
            ValidationError: The values contradict each other or the other settings.
            RunError: The loss became NaN or infinite.
        """
        networks = [with_values(network, values) for network in self.networks]
        scores = [self._score(network) for network in networks]
        return Score(
            log_loss=float(np.mean([score.log_loss for score in scores])),
            accuracy=float(np.mean([score.accuracy for score in scores])),
        )

    def discard(self) -> None:
        """Removes the scores of this search, and the checkpoints of its failed trials."""
        for folder in self._used:
            for path, remove in ((_score_file(folder), tf.io.gfile.remove), (folder, tf.io.gfile.rmtree)):
                if tf.io.gfile.exists(path):
                    remove(path)

    def _score(self, settings: FitSettings) -> Score:
        folder = os.path.join(self.folder, fingerprint(settings, self.examples, self.held_out))
        self._used.add(folder)
        file = _score_file(folder)
        if tf.io.gfile.exists(file):
            with tf.io.gfile.GFile(file) as opened:
                return Score(**json.loads(opened.read()))
        job = TrialJob(settings, self.examples, self.held_out, folder)
        score = train_and_score(job)
        with replacing(file, tf.io.gfile) as partial, tf.io.gfile.GFile(partial, "w") as opened:
            opened.write(json.dumps(asdict(score)))
        tf.io.gfile.rmtree(folder)
        return score


def train_and_score(job: TrialJob) -> Score:
    """Trains a network as a Trainer does, and scores it.

    Raises:
        DeviceError: See `prepare_device`.
        RunError: The loss became NaN or infinite.
    """
    training = job.settings.training
    strategy = prepare_device(training)
    model = fit(
        job.settings,
        job.examples,
        job.held_out,
        strategy=strategy,
        checkpoint=EpochCheckpoint(job.folder, training.patience, OBJECTIVE),
        log_dir=os.path.join(job.folder, "logs"),
        progress=EpochsToLog(trainer_id(job.settings.mode), training, len(job.examples.labels)),
    )
    return evaluator(model)(job.held_out)


def draw(examples: Examples, count: int, seed: int) -> Examples:
    """Draws `count` examples at random and keeps their order; 0, or more than there are, takes all."""
    total = len(examples.labels)
    if not 0 < count < total:
        return examples
    rows = np.sort(np.random.default_rng(seed).permutation(total)[:count])
    return Examples(examples.token_ids[rows], examples.labels[rows])


def _score_file(folder: str) -> str:
    return f"{folder}.json"


class EpochsToLog(TrainingProgress):
    """Writes the epochs of a trial to the log file only: on the terminal each trial has one line."""

    def end_batch(self, done: int, metrics: Callable[[], EpochMetrics]) -> None:
        """Reports nothing."""

    def end_epoch(self, metrics: EpochMetrics, score: Score | None) -> None:
        """Logs the metrics of the epoch."""
        _log.info("trial of %s, epoch %d: %s, eval %s", self.node, self.epoch, metrics, score)

import logging
import re

import pytest

from components.trainer import progress
from components.trainer.loop import EpochMetrics, Score
from components.trainer.progress import TrainingProgress
from imdb_core.progress import EVENT, PROGRESS_LOGGER, EpochEnd, Steps
from imdb_core.settings import TrainingSettings


@pytest.fixture
def records(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG, PROGRESS_LOGGER)
    monkeypatch.setattr(progress, "_TELL_SECONDS", 0.0)
    told = TrainingProgress("Trainer.vector", TrainingSettings(epochs=2, batch_size=4), 10)
    for epoch in (1, 2):
        told.begin_epoch(epoch)
        for done in (4, 8, 10):
            told.end_batch(done, lambda: EpochMetrics(loss=0.9, log_loss=0.25, accuracy=0.75))
        metrics = EpochMetrics(loss=0.9, log_loss=0.5 / epoch, accuracy=0.75)
        told.end_epoch(metrics, Score(log_loss=0.75, accuracy=0.625) if epoch == 1 else None)
    return [record for record in caplog.records if record.name == PROGRESS_LOGGER]


def test_each_batch_tells_epoch_examples_and_loss(records):
    steps = [getattr(record, EVENT) for record in records if record.levelno == logging.DEBUG]
    assert [(event.stage, event.done, event.total) for event in steps] == [
        (f"epoch {epoch}/2", done, 10) for epoch in (1, 2) for done in (4, 8, 10)
    ]
    assert all(isinstance(event, Steps) for event in steps)
    # The loss without label smoothing, which can be compared with that of the eval split.
    assert steps[0].metrics == {"loss": 0.25, "accuracy": 0.75}


def test_each_epoch_is_one_line_of_the_log(records):
    first, second = (record for record in records if record.levelno == logging.INFO)
    event = getattr(first, EVENT)
    assert isinstance(event, EpochEnd)
    shown = {"loss": 0.5, "accuracy": 0.75, "eval loss": 0.75, "eval accuracy": 0.625}
    assert (event.epoch, event.epochs, event.metrics) == (1, 2, shown)
    line = "Trainer.vector epoch 1/2  loss 0.5000  accuracy 0.7500  eval loss 0.7500  eval accuracy 0.6250  "
    assert re.fullmatch(rf"{re.escape(line)}\d+ s", first.getMessage())
    assert second.getMessage().startswith("Trainer.vector epoch 2/2  loss 0.2500  accuracy 0.7500  0 s")


def test_within_an_epoch_it_speaks_twice_a_second_at_most(caplog):
    caplog.set_level(logging.DEBUG, PROGRESS_LOGGER)
    told = TrainingProgress("Trainer.vector", TrainingSettings(), 10)
    told.begin_epoch(1)

    def metrics() -> EpochMetrics:
        raise AssertionError("this waits for the device")

    for done in range(10):
        told.end_batch(done, metrics)
    assert not caplog.records

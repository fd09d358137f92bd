import logging
import re

import keras
import numpy as np
import pytest

from components.trainer import progress
from components.trainer.progress import TrainingProgress
from imdb_core.progress import EVENT, PROGRESS_LOGGER, EpochEnd, Steps
from imdb_core.settings import TrainingSettings


@pytest.fixture
def records(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG, PROGRESS_LOGGER)
    monkeypatch.setattr(progress, "_TELL_SECONDS", 0.0)
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    model.compile(loss="mse", metrics=[keras.metrics.MeanSquaredError(name="log_loss")])
    data = (np.ones([10, 1]), np.zeros([10, 1]))
    told = TrainingProgress("Trainer.vector", TrainingSettings(epochs=2, batch_size=4), 10, loss="log_loss")
    model.fit(*data, batch_size=4, epochs=2, validation_data=data, callbacks=[told], verbose=0)
    return [record for record in caplog.records if record.name == PROGRESS_LOGGER]


def test_each_batch_tells_epoch_examples_and_loss(records):
    steps = [getattr(record, EVENT) for record in records if record.levelno == logging.DEBUG]
    assert [(event.stage, event.done, event.total) for event in steps] == [
        (f"epoch {epoch}/2", done, 10) for epoch in (1, 2) for done in (4, 8, 10)
    ]
    assert all(isinstance(event, Steps) and set(event.metrics) == {"loss"} for event in steps)


def test_each_epoch_is_one_line_of_the_log(records):
    first, second = (record for record in records if record.levelno == logging.INFO)
    event = getattr(first, EVENT)
    assert isinstance(event, EpochEnd)
    assert (event.epoch, event.epochs, set(event.metrics)) == (1, 2, {"loss", "eval loss"})
    loss, eval_loss = event.metrics["loss"], event.metrics["eval loss"]
    line = f"Trainer.vector epoch 1/2  loss {loss:.4f}  eval loss {eval_loss:.4f}  "
    assert re.fullmatch(rf"{re.escape(line)}\d+ s", first.getMessage())
    assert second.getMessage().startswith("Trainer.vector epoch 2/2  ")

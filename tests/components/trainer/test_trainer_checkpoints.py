from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.checkpoints import EpochCheckpoint
from imdb_core.errors import RunError

MONITOR = "val_loss"


class Trained(NamedTuple):
    """A network and its optimizer."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer


def small_model(units: int = 3, seed: int = 1, optimizer: keras.optimizers.Optimizer | None = None) -> Trained:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(units), keras.layers.Dropout(0.5)])
    optimizer = optimizer or keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    return Trained(model, optimizer)


def fill(model: keras.Model, value: float) -> None:
    for weight in model.trainable_variables:
        weight.assign(np.full(weight.shape, value))


def state(trained: Trained) -> list[np.ndarray]:
    return [np.array(variable) for variable in (*trained.model.variables, *trained.optimizer.variables)]


def equal(one: list[np.ndarray], two: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def train(checkpoint: EpochCheckpoint, trained: Trained, losses: list[float], *, restored: bool = False) -> int:
    """Plays epochs with the given eval losses; epoch k (from 1) leaves all weights at k. Returns the last epoch run."""
    if not restored:
        checkpoint.restore(*trained)
    while checkpoint.epochs_done < len(losses) and not checkpoint.is_patience_over:
        epoch = checkpoint.epochs_done
        fill(trained.model, epoch + 1.0)
        checkpoint.end_epoch({"loss": 0.5, MONITOR: losses[epoch]})
    return checkpoint.epochs_done


def weight(trained: Trained) -> float:
    return float(np.array(trained.model.trainable_variables[0]).flat[0])


@pytest.mark.parametrize(
    ("losses", "patience", "stops_after", "kept"),
    [
        ([3.0, 2.0, 1.0], 2, 3, 3.0),  # better to the end
        ([3.0, 1.0, 2.0, 2.0, 0.5], 2, 4, 2.0),  # stops, never sees the 0.5
        ([3.0, 1.0, 2.0, 0.5, 0.6, 0.7, 0.1], 2, 6, 4.0),  # patience starts anew at a better epoch
        ([3.0, 1.0, 2.0], 2, 3, 2.0),  # the end comes before patience is over
        ([1.0, 1.0, 1.0], 2, 3, 1.0),  # equal is not better
        ([2.0, 3.0, 1.0], 1, 2, 1.0),
        ([1.0, 2.0, 3.0, 4.0], 0, 4, 4.0),  # off: the last weights
        ([float("nan"), 2.0, 1.0], 2, 3, 3.0),  # no number is worse than any number
    ],
)
def test_early_stopping_and_best_weights(
    tmp_path: Path, losses: list[float], patience: int, stops_after: int, kept: float
) -> None:
    model = small_model()
    checkpoint = EpochCheckpoint(str(tmp_path), patience, MONITOR)
    assert train(checkpoint, model, losses) == stops_after
    checkpoint.keep_best()
    assert weight(model) == kept
    np.testing.assert_array_equal(checkpoint.history[MONITOR], losses[:stops_after])


def test_the_best_weights_are_the_averages_that_were_evaluated(tmp_path: Path) -> None:
    def averaging_model() -> Trained:
        return small_model(optimizer=keras.optimizers.SGD(use_ema=True))

    trained = averaging_model()
    checkpoint = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    checkpoint.restore(*trained)
    for epoch, loss in enumerate([2.0, 1.0, 3.0]):
        fill(trained.model, epoch + 1.0)
        for _, average in zip(trained.model.trainable_variables, trained.optimizer.variables[2:], strict=True):
            average.assign(np.full(average.shape, epoch + 10.0))
        checkpoint.end_epoch({"loss": 0.5, MONITOR: loss})

    other = averaging_model()
    resumed = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    resumed.restore(*other)
    assert weight(other) == 3.0  # what training goes on with
    assert equal(state(other), state(trained))
    resumed.keep_best()
    assert weight(other) == 11.0


@pytest.mark.parametrize("interrupted_after", [1, 2, 3, 4])
def test_early_stopping_survives_an_interruption(tmp_path: Path, interrupted_after: int) -> None:
    losses = [3.0, 1.0, 2.0, 2.0, 0.5]
    train(EpochCheckpoint(str(tmp_path), 2, MONITOR), small_model(), losses[:interrupted_after])

    model = small_model(seed=2)
    checkpoint = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    checkpoint.restore(*model)
    assert checkpoint.epochs_done == interrupted_after
    # Interrupted after the last epoch, before the model was saved: nothing is left to train.
    assert checkpoint.is_patience_over == (interrupted_after == 4)
    assert train(checkpoint, model, losses, restored=True) == 4
    checkpoint.keep_best()
    assert weight(model) == 2.0
    assert checkpoint.history == {"loss": [0.5] * 4, MONITOR: losses[:4]}


def test_without_values_of_the_monitored_metric_the_last_weights_are_kept(tmp_path: Path) -> None:
    model = small_model()
    checkpoint = EpochCheckpoint(str(tmp_path), 1, "val_other")
    assert train(checkpoint, model, [1.0, 2.0, 3.0]) == 3
    checkpoint.keep_best()
    assert weight(model) == 3.0


def test_without_early_stopping_the_averages_of_the_last_weights_are_kept(tmp_path: Path) -> None:
    trained = small_model(optimizer=keras.optimizers.SGD(use_ema=True))
    checkpoint = EpochCheckpoint(str(tmp_path), 0, MONITOR)
    train(checkpoint, trained, [2.0, 1.0])
    for average in trained.optimizer.variables[2:]:
        average.assign(np.full(average.shape, 7.0))
    checkpoint.keep_best()
    assert weight(trained) == 7.0


def test_restores_weights_optimizer_and_random_states_exactly(tmp_path: Path) -> None:
    trained = small_model()
    rng = np.random.default_rng(1)
    for variable in (*trained.model.variables, *trained.optimizer.variables):
        variable.assign(rng.integers(1, 100, size=variable.shape))
    checkpoint = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    checkpoint.restore(*trained)
    checkpoint.end_epoch({"loss": 0.5, MONITOR: 1.0})
    saved = state(trained)

    other = small_model(seed=9)
    assert not equal(saved, state(other))
    EpochCheckpoint(str(tmp_path), 2, MONITOR).restore(*other)
    assert equal(saved, state(other))
    inputs = rng.normal(size=(8, 2))
    np.testing.assert_array_equal(other.model(inputs, training=True), trained.model(inputs, training=True))


def test_the_folder_holds_one_whole_file_without_pickles(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    train(EpochCheckpoint(str(folder), 2, MONITOR), small_model(), [2.0, 1.0])
    assert [file.name for file in folder.iterdir()] == ["checkpoint.npz"]
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["progress/0000"]))["epochs_done"] == 2


def test_a_partial_file_that_a_crash_left_is_overwritten(tmp_path: Path) -> None:
    model, folder = small_model(), tmp_path / "checkpoint"
    train(EpochCheckpoint(str(folder), 2, MONITOR), model, [2.0])
    (folder / ".checkpoint.npz.partial").write_bytes(b"half a file")
    checkpoint = EpochCheckpoint(str(folder), 2, MONITOR)
    checkpoint.restore(*small_model(seed=2))
    assert checkpoint.epochs_done == 1
    train(checkpoint, model, [2.0, 1.0])
    assert [file.name for file in folder.iterdir()] == ["checkpoint.npz"]
    resumed = EpochCheckpoint(str(folder), 2, MONITOR)
    resumed.restore(*small_model(seed=2))
    assert resumed.epochs_done == 2
    resumed.discard()
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_the_previous_checkpoint_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model()
    checkpoint = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    train(checkpoint, model, [2.0])
    before = (tmp_path / "checkpoint.npz").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(tf.io.gfile, "rename", full)
    with pytest.raises(OSError, match="the disk is full"):
        train(checkpoint, model, [2.0, 1.0])
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    # Inside the first array's values, past the headers of zip and npy.
    position = content.find(b"\n", content.find(b"NUMPY")) + 2
    content[position] ^= 1
    path.write_bytes(bytes(content))


def scribble(path: Path) -> None:
    path.write_bytes(b"not a checkpoint")


def pickle_inside(path: Path) -> None:
    np.savez(path, **{"model/0000": np.array([{"a": 1}], dtype=object)})


def other_arrays(path: Path) -> None:
    np.savez(path, somewhere=np.zeros(3))


def without_progress(path: Path) -> None:
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files if not name.startswith("progress")}
    np.savez(path, **kept)


@pytest.mark.parametrize(
    "damage", [truncate, empty, flip_a_bit, scribble, pickle_inside, other_arrays, without_progress]
)
def test_a_damaged_checkpoint_is_reported_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    train(EpochCheckpoint(str(tmp_path), 2, MONITOR), small_model(), [2.0, 1.0])
    damage(tmp_path / "checkpoint.npz")

    model = small_model(seed=2)
    before = state(model)
    checkpoint = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    with caplog.at_level(logging.WARNING):
        checkpoint.restore(*model)
    assert "cannot be used, training starts from the first epoch" in caplog.text
    assert (checkpoint.epochs_done, checkpoint.history) == (0, {})
    assert equal(before, state(model))
    assert train(checkpoint, model, [2.0, 1.0]) == 2


def test_a_checkpoint_of_another_network_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(EpochCheckpoint(str(tmp_path), 2, MONITOR), small_model(units=4), [2.0])
    checkpoint = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    with caplog.at_level(logging.WARNING):
        checkpoint.restore(*small_model(units=3))
    assert checkpoint.epochs_done == 0
    assert "(2, 4)" in caplog.text


def test_discard_removes_the_folder_if_there_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    checkpoint = EpochCheckpoint(str(folder), 2, MONITOR)
    checkpoint.discard()
    train(checkpoint, small_model(), [1.0])
    checkpoint.discard()
    assert not folder.exists()


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_checkpoint(tmp_path: Path, loss: float) -> None:
    model = small_model()
    checkpoint = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    train(checkpoint, model, [2.0])
    with pytest.raises(RunError, match=r"epoch 2: the loss is (nan|inf); lower training.learning_rate"):
        checkpoint.end_epoch({"loss": loss, MONITOR: 1.0})
    again = EpochCheckpoint(str(tmp_path), 2, MONITOR)
    again.restore(*small_model())
    assert again.epochs_done == 1

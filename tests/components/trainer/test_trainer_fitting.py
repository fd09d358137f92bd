from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.network.model import build_model
from components.trainer import fitting
from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples, training_batches
from components.trainer.embedding_init import cooccurrence_vectors
from components.trainer.loop import EpochMetrics
from components.trainer.progress import TrainingProgress
from components.trainer.settings import FitSettings, TrainerSettings
from imdb_core.hyperparameters import with_values
from imdb_core.settings import ModelSettings, TrainingSettings, TransformSettings
from pipeline.settings import load_settings

pytestmark = pytest.mark.slow

SETTINGS = FitSettings(
    mode="vector",
    transform=TransformSettings(vocabulary_size=30, max_tokens=10),
    model=ModelSettings(
        embedding_dim=6, gru_units=4, dense_units=4, word_dropout=0.2, embedding_dropout=0.2, dropout=0.2
    ),
    training=TrainingSettings(epochs=3, batch_size=8, learning_rate=0.01, label_smoothing=0.1, device="cpu"),
    code_digest="abc",
)


def some_examples(count: int, seed: int) -> Examples:
    """Reviews in which word 4 is praise and word 5 is blame."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, size=count, dtype=np.int32)
    token_ids = rng.integers(6, 30, size=(count, 10), dtype=np.int32)
    token_ids[:, 0] = 1
    token_ids[np.arange(count), rng.integers(1, 8, size=count)] = np.where(labels, 4, 5)
    token_ids[rng.random(count) < 0.5, 8:] = 0
    return Examples(token_ids, labels)


TRAIN, HELD_OUT, NONE = some_examples(100, seed=1), some_examples(30, seed=2), some_examples(0, seed=3)


def changed(**values: Any) -> FitSettings:
    """Other settings: `section__key=value`."""
    return with_values(SETTINGS, {key.replace("__", "."): value for key, value in values.items()})


def fit(
    folder: Path,
    settings: FitSettings = SETTINGS,
    held_out: Examples = HELD_OUT,
    progress: type[TrainingProgress] = TrainingProgress,
) -> tuple[keras.Model, EpochCheckpoint]:
    saved = EpochCheckpoint(str(folder / "checkpoint"), settings.training.patience, "val_log_loss")
    model = fitting.fit(
        settings,
        TRAIN,
        held_out,
        strategy=tf.distribute.get_strategy(),
        checkpoint=saved,
        log_dir=str(folder / "logs"),
        progress=progress(f"Trainer.{settings.mode}", settings.training, len(TRAIN.labels)),
    )
    return model, saved


def equal_weights(one: keras.Model, two: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights(), strict=True))


class KilledError(Exception):
    pass


class KilledInTheSecondEpoch(TrainingProgress):
    def end_batch(self, done: int, metrics: Callable[[], EpochMetrics]) -> None:
        if self.epoch == 2 and done > 40:
            raise KilledError


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, EpochCheckpoint]:
    return fit(tmp_path_factory.mktemp("uninterrupted"))


def test_the_same_seed_gives_the_same_weights(uninterrupted: Any, tmp_path: Path) -> None:
    model, checkpoint = uninterrupted
    again, same_checkpoint = fit(tmp_path)
    assert equal_weights(model, again)
    assert checkpoint.history == same_checkpoint.history


def test_interrupted_and_resumed_training_gives_the_very_same_weights(
    uninterrupted: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected, expected_checkpoint = uninterrupted
    with caplog.at_level(logging.INFO, logger="imdb_attention.progress"):
        with pytest.raises(KilledError):
            fit(tmp_path, progress=KilledInTheSecondEpoch)
        resumed, checkpoint = fit(tmp_path)
    assert equal_weights(expected, resumed)
    assert checkpoint.history == expected_checkpoint.history
    assert checkpoint.epochs_done == 3

    lines = [record.getMessage() for record in caplog.records if record.name == "imdb_attention.progress"]
    first = expected_checkpoint.history
    assert [line.split("  ")[0] for line in lines] == [f"Trainer.vector epoch {epoch}/3" for epoch in (1, 2, 3)]
    assert lines[0].split("  ")[1:-1] == [
        f"loss {first['log_loss'][0]:.4f}",
        f"accuracy {first['accuracy'][0]:.4f}",
        f"eval loss {first['val_log_loss'][0]:.4f}",
        f"eval accuracy {first['val_accuracy'][0]:.4f}",
    ]
    assert lines[0].endswith(" s")

    # Killed once more, after the last epoch but before the model was exported: nothing is left to train.
    finished, _ = fit(tmp_path, progress=KilledInTheSecondEpoch)
    assert equal_weights(expected, finished)


def test_training_begins_with_vectors_of_the_training_reviews(tmp_path: Path) -> None:
    # A rate so small that no weight changes.
    still = {"training__epochs": 1, "training__learning_rate": 1e-12, "training__weight_decay": 0.0}
    model, _ = fit(tmp_path / "new", changed(model__embedding_std=0.2, **still))
    plain, _ = fit(tmp_path / "plain", changed(model__embedding_init="uniform", **still))
    uniform, *others = plain.get_weights()
    np.testing.assert_allclose(
        model.get_weights()[0], cooccurrence_vectors(TRAIN.token_ids, uniform, 0.2, seed=1), atol=1e-6
    )
    # The other weights begin as they would without.
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(model.get_weights()[1:], others, strict=True))


def test_averaging_evaluates_and_keeps_averaged_weights(tmp_path: Path) -> None:
    averaged, with_average = fit(tmp_path / "averaged", changed(training__weight_average=0.9, training__patience=0))
    last, without = fit(tmp_path / "last", changed(training__weight_average=0.0, training__patience=0))
    assert not equal_weights(averaged, last)
    # Training itself takes no notice of what is evaluated and kept.
    assert with_average.history["loss"] == without.history["loss"]
    assert with_average.history["val_log_loss"] != without.history["val_log_loss"]


@pytest.mark.parametrize("mode", ["scalar", "vector"])
def test_preset_blog_trains_as_plain_keras_does(mode: Any, tmp_path: Path) -> None:
    preset = load_settings(None, ["preset=blog", "training.device=cpu", "training.batch_size=8"]).config
    settings = SETTINGS.model_copy(update={"mode": mode, "model": preset.model, "training": preset.training})
    ours, _ = fit(tmp_path, settings, held_out=NONE)

    keras.utils.set_random_seed(1)
    plain = build_model(preset.model, SETTINGS.transform, mode)
    plain.compile(keras.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    for epoch in (0, 1):
        for batch in training_batches(TRAIN, 8, 1, epoch, by_length=False):
            plain.train_on_batch(batch.token_ids, np.eye(2)[batch.labels])
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True))


def test_tensorboard_gets_every_epoch_of_both_splits(tmp_path: Path) -> None:
    _, checkpoint = fit(tmp_path)
    for folder, prefix in (("train", ""), ("validation", "val_")):
        values: dict[str, list[float]] = {}
        for file in sorted((tmp_path / "logs" / folder).iterdir()):
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                for value in event.summary.value:
                    assert event.step == len(values.setdefault(value.tag, []))
                    values[value.tag].append(float(tf.make_ndarray(value.tensor)))
        for name in ("log_loss", "accuracy"):
            np.testing.assert_allclose(values[f"epoch_{name}"], checkpoint.history[prefix + name], rtol=1e-6)


def test_it_learns(tmp_path: Path) -> None:
    settings = changed(training__epochs=25, training__patience=0, training__label_smoothing=0.0)
    settings = settings.model_copy(update={"model": ModelSettings(embedding_dim=6, gru_units=4)})
    history = fit(tmp_path, settings)[1].history
    assert history["val_accuracy"][-1] > 0.9
    np.testing.assert_allclose(history["loss"], history["log_loss"], rtol=1e-5)


def test_early_stopping_returns_the_best_weights(tmp_path: Path) -> None:
    model, checkpoint = fit(tmp_path, changed(training__epochs=30, training__learning_rate=0.3, training__patience=1))
    assert checkpoint.epochs_done < 30
    probabilities = model.predict(HELD_OUT.token_ids, verbose=0)
    log_loss = -np.log(probabilities[np.arange(30), HELD_OUT.labels]).mean()
    # The measure that decides knows nothing of the label smoothing of training.
    assert not np.allclose(checkpoint.history["loss"], checkpoint.history["log_loss"], rtol=1e-3)
    assert log_loss == pytest.approx(min(checkpoint.history["val_log_loss"]), abs=1e-5)


def test_without_eval_examples_all_epochs_run_and_the_last_weights_stay(tmp_path: Path) -> None:
    settings = changed(training__epochs=4, training__learning_rate=0.3, training__patience=1)
    _, checkpoint = fit(tmp_path, settings, held_out=NONE)
    assert checkpoint.epochs_done == 4
    assert set(checkpoint.history) == {"loss", "accuracy", "log_loss"}


class TestFingerprint:
    def test_does_not_depend_on_the_order_of_keys_or_on_settings_that_leave_weights_alone(self) -> None:
        expected = fitting.fingerprint(SETTINGS, TRAIN, HELD_OUT)
        dumped = SETTINGS.model_dump(mode="json")
        others = {"checkpoint_root": "x", "trained_on": "sample", "serving": {"warmup_requests": 7}}
        shuffled = TrainerSettings.model_validate({**others, **{key: dumped[key] for key in reversed(dumped)}})
        assert fitting.fingerprint(shuffled, TRAIN, HELD_OUT) == expected
        assert len(expected) == 64

    @pytest.mark.parametrize(
        "other",
        [
            lambda: (SETTINGS.model_copy(update={"mode": "scalar"}), TRAIN, HELD_OUT),
            lambda: (changed(model__dropout=0.3), TRAIN, HELD_OUT),
            lambda: (changed(training__seed=2), TRAIN, HELD_OUT),
            lambda: (changed(transform__max_tokens=11), TRAIN, HELD_OUT),
            lambda: (SETTINGS.model_copy(update={"code_digest": "abd"}), TRAIN, HELD_OUT),
            lambda: (SETTINGS, Examples(TRAIN.token_ids, 1 - TRAIN.labels), HELD_OUT),
            lambda: (SETTINGS, Examples(TRAIN.token_ids[::-1], TRAIN.labels[::-1]), HELD_OUT),
            lambda: (SETTINGS, TRAIN, NONE),
            lambda: (SETTINGS, HELD_OUT, TRAIN),
        ],
    )
    def test_changes_with_everything_that_weights_depend_on(
        self, other: Callable[[], tuple[FitSettings, Examples, Examples]]
    ) -> None:
        assert fitting.fingerprint(*other()) != fitting.fingerprint(SETTINGS, TRAIN, HELD_OUT)

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples
from components.trainer.fitting import fit
from components.trainer.loop import EpochMetrics
from components.trainer.settings import FitSettings
from components.tuner import trials
from components.tuner.trials import EpochsToLog, TrialJob, Trials, draw, train_and_score
from imdb_core.errors import RunError
from imdb_core.hyperparameters import with_values
from imdb_core.settings import ModelSettings, TrainingSettings, TransformSettings

pytestmark = pytest.mark.slow

SETTINGS = FitSettings(
    mode="scalar",
    transform=TransformSettings(vocabulary_size=20, max_tokens=8),
    model=ModelSettings(embedding_dim=4, gru_units=4, dense_units=4, dropout=0.2),
    training=TrainingSettings(epochs=2, batch_size=16, learning_rate=0.01, device="cpu"),
    code_digest="abc",
)


def some_examples(count: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, size=count, dtype=np.int32)
    token_ids = rng.integers(6, 20, size=(count, 8), dtype=np.int32)
    token_ids[:, 3] = 4 + labels
    return Examples(token_ids, labels)


TRAIN, HELD_OUT = some_examples(64, seed=1), some_examples(30, seed=2)


def trials_in(folder: Path, *modes: Any, settings: FitSettings = SETTINGS) -> Trials:
    networks = [settings.model_copy(update={"mode": mode}) for mode in modes or ("scalar",)]
    return Trials(networks, TRAIN, HELD_OUT, str(folder))


def epochs(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message.partition(":")[0] for message in caplog.messages if message.startswith("trial of ")]


def test_a_trial_trains_as_the_trainer_does_and_is_scored_with_the_weights_to_keep(tmp_path: Path) -> None:
    # A rate so high that some epochs are worse than the one before.
    fast = {"training.learning_rate": 0.3, "training.epochs": 4, "training.patience": 1}
    settings = with_values(SETTINGS, fast)
    checkpoint = EpochCheckpoint(str(tmp_path / "direct"), 1, "val_log_loss")
    model = fit(
        settings,
        TRAIN,
        HELD_OUT,
        strategy=tf.distribute.get_strategy(),
        checkpoint=checkpoint,
        log_dir=str(tmp_path / "logs"),
        progress=EpochsToLog("Trainer.scalar", settings.training, len(TRAIN.labels)),
    )
    probabilities = model.predict(HELD_OUT.token_ids, verbose=0)
    of_the_label = probabilities[np.arange(30), HELD_OUT.labels]
    score = train_and_score(TrialJob(settings, TRAIN, HELD_OUT, str(tmp_path / "trial")))
    assert score.log_loss == pytest.approx(-np.log(of_the_label).mean(), abs=1e-5)
    assert score.accuracy == pytest.approx((of_the_label > 0.5).mean())
    assert score.log_loss == pytest.approx(min(checkpoint.history["val_log_loss"]), abs=1e-6)


def test_a_score_of_both_modes_is_the_mean_and_is_computed_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        both = trials_in(tmp_path, "scalar", "vector").score({"model.dropout": 0.1})
    assert epochs(caplog) == [
        f"trial of Trainer.{mode}, epoch {epoch}" for mode in ("scalar", "vector") for epoch in (1, 2)
    ]

    caplog.clear()
    with caplog.at_level(logging.INFO):
        # A later search, of one mode or of both, finds what has been scored already.
        single = [trials_in(tmp_path, mode).score({"model.dropout": 0.1}) for mode in ("scalar", "vector")]
        assert trials_in(tmp_path, "scalar", "vector").score({"model.dropout": 0.1}) == both
    assert epochs(caplog) == []
    assert both.log_loss == pytest.approx(np.mean([score.log_loss for score in single]))
    assert both.accuracy == pytest.approx(np.mean([score.accuracy for score in single]))
    assert single[0] != single[1]


def test_other_values_or_other_code_make_another_score(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        first = trials_in(tmp_path).score({"model.dropout": 0.1})
        assert trials_in(tmp_path).score({"model.dropout": 0.6}) != first
        other_code = SETTINGS.model_copy(update={"code_digest": "abd"})
        assert trials_in(tmp_path, settings=other_code).score({"model.dropout": 0.1}) == first
    assert len(epochs(caplog)) == 6


class KilledError(Exception):
    pass


class KilledInTheSecondEpoch(EpochsToLog):
    def end_batch(self, done: int, metrics: Callable[[], EpochMetrics]) -> None:
        if self.epoch == 2:
            raise KilledError


def test_an_interrupted_trial_continues_after_its_last_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trials_in(tmp_path / "uninterrupted").score({})
    with monkeypatch.context() as patch:
        patch.setattr(trials, "EpochsToLog", KilledInTheSecondEpoch)
        with pytest.raises(KilledError):
            trials_in(tmp_path).score({})
    with caplog.at_level(logging.INFO):
        assert trials_in(tmp_path).score({}) == expected
    assert epochs(caplog) == ["trial of Trainer.scalar, epoch 2"]


def test_discard_leaves_nothing_behind_not_even_of_a_failed_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = trials_in(tmp_path)
    search.score({})
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".json"
    monkeypatch.setattr(trials, "EpochsToLog", KilledInTheSecondEpoch)
    with pytest.raises(KilledError):
        search.score({"model.dropout": 0.1})
    assert len(list(tmp_path.iterdir())) == 2
    search.discard()
    assert list(tmp_path.iterdir()) == []


def test_contradictory_settings_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="does not train"):
        trials_in(tmp_path).score({"model.pooling": "flatten"})
    assert list(tmp_path.iterdir()) == []


def test_training_that_diverges_is_a_run_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="training broke down"):
        trials_in(tmp_path).score({"training.learning_rate": 1e38})


class TestDraw:
    def test_all_are_taken_if_no_fewer_are_wanted(self) -> None:
        assert all(draw(TRAIN, count, seed=1) is TRAIN for count in (0, 64, 65))

    @pytest.mark.parametrize("count", [1, 10, 63])
    def test_some_keep_their_order_and_their_labels(self, count: int) -> None:
        drawn = draw(TRAIN, count, seed=3)
        rows = [next(row for row in range(64) if np.array_equal(TRAIN.token_ids[row], ids)) for ids in drawn.token_ids]
        assert len(rows) == count
        assert rows == sorted(set(rows))
        np.testing.assert_array_equal(drawn.labels, TRAIN.labels[rows])

    def test_the_seed_decides_which(self) -> None:
        one, same, other = (draw(TRAIN, 20, seed).token_ids for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)

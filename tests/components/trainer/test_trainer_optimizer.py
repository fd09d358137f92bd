from __future__ import annotations

import keras
import pytest

from components.trainer.optimizer import build_optimizer
from imdb_core.settings import TrainingSettings
from pipeline.settings import load_settings


@pytest.mark.parametrize(
    ("asked", "steps_per_epoch", "given"),
    # A momentum of 1 - 1/n counts n steps.
    [(0.99, 300, 0.99), (0.99, 30, 0.9), (0.5, 30, 0.5), (0.99, 3, 0.0), (0.99, 1, 0.0)],
)
def test_a_third_of_an_epoch_is_averaged_at_most(asked: float, steps_per_epoch: int, given: float) -> None:
    optimizer = build_optimizer(TrainingSettings(weight_average=asked), steps_per_epoch)
    assert optimizer.use_ema
    assert optimizer.ema_momentum == pytest.approx(given)
    assert not build_optimizer(TrainingSettings(weight_average=0.0), steps_per_epoch).use_ema


def test_the_learning_rate_falls_along_half_a_cosine_over_all_epochs() -> None:
    optimizer = build_optimizer(TrainingSettings(learning_rate=0.01, epochs=4), 25)
    rates = []
    for step in (0, 50, 100):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    assert rates == pytest.approx([0.01, 0.005, 0.0], abs=1e-9)


def test_preset_blog_is_adam_as_keras_has_it() -> None:
    given = build_optimizer(load_settings(None, ["preset=blog"]).config.training, 391).get_config()
    expected = keras.optimizers.Adam(1e-3).get_config()
    unused = "ema_momentum"  # without use_ema
    assert {**given, unused: None} == {**expected, unused: None}

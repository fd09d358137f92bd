from __future__ import annotations

import keras
import numpy as np
import pytest

from components.trainer.optimizer import EvaluateAveragedWeights, averaged_variables, build_optimizer
from imdb_core.settings import TrainingSettings
from pipeline.settings import load_settings

# The loss is w * input: the gradient is the input, whatever the weight.
INPUTS = np.array([[1.0], [2.0], [4.0]])


def linear_model(**optimizer: object) -> keras.Model:
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(1.0, **optimizer), loss=lambda _, output: output)
    model.optimizer.build(model.trainable_variables)
    return model


class Evaluated(keras.callbacks.Callback):
    """Notes the weight that each evaluation sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def on_test_batch_begin(self, batch: int, logs: object = None) -> None:
        self.seen.append(kernel(self.model))


def kernel(model: keras.Model) -> float:
    return float(np.asarray(model.trainable_variables[0]).item())


def fit(model: keras.Model, epochs: int) -> tuple[list[float], list[float]]:
    """Steps of 1, 2 and 4 downwards an epoch; returns the weight that each evaluation saw, and the one after it."""
    after: list[float] = []
    evaluated = Evaluated()
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: after.append(kernel(model)))
    model.fit(
        INPUTS,
        INPUTS,
        batch_size=1,
        shuffle=False,
        epochs=epochs,
        validation_data=(INPUTS[:1], INPUTS[:1]),
        callbacks=[EvaluateAveragedWeights(), evaluated, note],
        verbose=0,
    )
    return evaluated.seen, after


def test_the_average_is_evaluated_and_training_goes_on_without_it() -> None:
    model = linear_model(use_ema=True, ema_momentum=0.75)
    evaluated, after = fit(model, epochs=2)
    assert after == [-7.0, -14.0]
    # The weight goes -1, -3, -7, -8, -10, -14. The average begins as the first.
    expected = [-1.0]
    for weight in (-3.0, -7.0, -8.0, -10.0, -14.0):
        expected.append(0.75 * expected[-1] + 0.25 * weight)
    assert evaluated == pytest.approx([expected[2], expected[5]])
    # Keras leaves the average in the model when `fit` ends.
    assert kernel(model) == pytest.approx(expected[5])


def test_without_averaging_nothing_changes() -> None:
    model = linear_model()
    assert fit(model, epochs=2) == ([-7.0, -14.0], [-7.0, -14.0])
    assert kernel(model) == -14.0
    assert [id(variable) for variable in averaged_variables(model)] == [id(variable) for variable in model.variables]


def test_only_what_is_trained_has_an_average() -> None:
    model = keras.Sequential([keras.Input([2]), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(use_ema=True), loss="mse")
    model.optimizer.build(model.trainable_variables)
    averaged = averaged_variables(model)
    same = [one is other for one, other in zip(averaged, model.variables, strict=True)]
    assert same == [all(variable is not one for one in model.trainable_variables) for variable in model.variables]
    assert [one.shape for one in averaged] == [one.shape for one in model.variables]
    assert same.count(True) == 1  # the state of the dropout's random generator


def test_the_average_is_found_behind_the_optimizer_of_half_precision() -> None:
    model = linear_model()
    inner = keras.optimizers.SGD(1.0, use_ema=True)
    model.compile(keras.optimizers.LossScaleOptimizer(inner), loss="mse")
    model.optimizer.build(model.trainable_variables)
    (average,) = averaged_variables(model)
    average.assign([[3.0]])
    assert kernel(model) == 0.0
    model.optimizer.finalize_variable_values(model.trainable_variables)
    assert kernel(model) == 3.0


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

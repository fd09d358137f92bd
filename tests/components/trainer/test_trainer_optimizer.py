from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.optimizer import (
    apply_gradients,
    averaged_variables,
    averaged_weights,
    build_optimizer,
    scaled_loss,
)
from imdb_core.settings import TrainingSettings
from pipeline.settings import load_settings

# The loss is w * input: the gradient is the input, whatever the weight.
GRADIENTS = [1.0, 2.0, 4.0]


class Linear(NamedTuple):
    """A network of one weight, and its optimizer."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer

    @property
    def weight(self) -> float:
        return float(np.asarray(self.model.trainable_variables[0]).item())

    def step(self, gradient: float, clip_norm: float = 0.0) -> None:
        apply_gradients(self.optimizer, [tf.constant([[gradient]])], self.model.trainable_variables, clip_norm)


def linear(optimizer: keras.optimizers.Optimizer) -> Linear:
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    optimizer.build(model.trainable_variables)
    return Linear(model, optimizer)


def test_the_average_is_lent_to_the_model_and_training_goes_on_without_it() -> None:
    network = linear(keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.75))
    average = None
    for gradient in GRADIENTS * 2:
        network.step(gradient)
        # The average begins as the first weight.
        average = network.weight if average is None else 0.75 * average + 0.25 * network.weight
        before = network.weight
        with averaged_weights(*network):
            assert network.weight == pytest.approx(average)
        assert network.weight == before
    assert network.weight == -14.0


def test_an_error_while_the_average_is_lent_gives_the_weights_back() -> None:
    network = linear(keras.optimizers.SGD(1.0, use_ema=True))
    network.step(1.0)
    network.step(2.0)
    with pytest.raises(ValueError, match="of an evaluation"), averaged_weights(*network):
        raise ValueError("of an evaluation")
    assert network.weight == -3.0


def test_without_averaging_nothing_changes() -> None:
    network = linear(keras.optimizers.SGD(1.0))
    network.step(1.0)
    with averaged_weights(*network):
        assert network.weight == -1.0
    averaged = averaged_variables(*network)
    assert [id(variable) for variable in averaged] == [id(variable) for variable in network.model.variables]


def test_only_what_is_trained_has_an_average() -> None:
    model = keras.Sequential([keras.Input([2]), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(use_ema=True)
    optimizer.build(model.trainable_variables)
    averaged = averaged_variables(model, optimizer)
    same = [one is other for one, other in zip(averaged, model.variables, strict=True)]
    assert same == [all(variable is not one for one in model.trainable_variables) for variable in model.variables]
    assert [one.shape for one in averaged] == [one.shape for one in model.variables]
    assert same.count(True) == 1  # the state of the dropout's random generator


def test_the_average_is_found_behind_the_optimizer_of_half_precision() -> None:
    network = linear(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0, use_ema=True)))
    (average,) = averaged_variables(*network)
    average.assign([[3.0]])
    with averaged_weights(*network):
        assert network.weight == 3.0
    assert network.weight == 0.0


@pytest.mark.parametrize(("clip_norm", "weight"), [(0.0, -4.0), (8.0, -4.0), (4.0, -4.0), (0.5, -0.5)])
def test_a_gradient_is_scaled_down_to_the_norm(clip_norm: float, weight: float) -> None:
    network = linear(keras.optimizers.SGD(1.0))
    network.step(4.0, clip_norm)
    assert network.weight == pytest.approx(weight)


def test_the_norm_is_that_of_all_gradients_and_without_the_scale_of_half_precision() -> None:
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, kernel_initializer="zeros")])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=1024.0)
    optimizer.build(model.trainable_variables)
    gradients = [1024.0 * tf.constant([[3.0]]), 1024.0 * tf.constant([4.0])]
    apply_gradients(optimizer, gradients, model.trainable_variables, clip_norm=1.0)
    kernel, bias = (np.asarray(weight).item() for weight in model.get_weights())
    assert (kernel, bias) == pytest.approx((-0.6, -0.8))


# In a process of its own, because a process configures its devices only once.
OVERFLOWS = """
    import json
    import keras
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

    from components.graph_functions import graph_function
    from components.trainer.devices import strategy_over
    from components.trainer.optimizer import apply_gradients, averaged_variables, values_of

    strategy = strategy_over(("CPU:0", "CPU:1"))
    results = {}
    for clip_norm in (0.0, 1.0):
        for broken in (0, 1):
            with strategy.scope():
                layers = [keras.Input([1]), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
                model = keras.Sequential(layers)
                adam = keras.optimizers.Adam(0.1, use_ema=True)
                optimizer = keras.optimizers.LossScaleOptimizer(adam, initial_scale=8.0)
                optimizer.build(model.trainable_variables)

            def replica_step(overflows):
                number = tf.distribute.get_replica_context().replica_id_in_sync_group
                fails = tf.logical_and(overflows, tf.equal(number, broken))
                gradient = tf.reshape(tf.where(fails, float("inf"), 4.0), [1, 1])
                apply_gradients(optimizer, [gradient], model.trainable_variables, clip_norm)

            step = graph_function(lambda overflows: strategy.run(replica_step, args=(overflows,)))
            seen = []
            for overflows in (True, False):
                step(tf.constant(overflows))
                weights = [*values_of(model.variables), *values_of(averaged_variables(model, optimizer))]
                scale = float(keras.ops.convert_to_numpy(optimizer.dynamic_scale))
                seen.append([*(weight.item() for weight in weights), scale])
            results[f"clip_norm {clip_norm}, replica {broken}"] = seen
    print(json.dumps(results))
"""


def test_an_overflow_in_any_replica_skips_the_step_and_lowers_the_scale() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(OVERFLOWS)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) == 4
    for skipped, finite in results.values():
        assert skipped[0] == 1.0
        assert skipped[2] == finite[2] == 4.0
        # Adam's first step is the learning rate; the average begins with its result.
        assert finite[:2] == pytest.approx([0.9, 0.9], abs=1e-5)


def test_the_loss_of_half_precision_is_scaled() -> None:
    half = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=8.0)
    half.build([])
    assert float(scaled_loss(half, tf.constant(2.0))) == 16.0
    assert float(scaled_loss(keras.optimizers.SGD(1.0), tf.constant(2.0))) == 2.0


def test_the_policy_of_half_precision_gets_an_optimizer_that_scales() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        optimizer = build_optimizer(TrainingSettings(), 10)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert not isinstance(build_optimizer(TrainingSettings(), 10), keras.optimizers.LossScaleOptimizer)


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

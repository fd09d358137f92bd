from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.graph_functions import graph_function
from components.network.gru import GRU

UNITS = 5


def pair(**options: Any) -> tuple[GRU, keras.layers.GRU]:
    """Our layer and Keras's with the same weights, none of which is 0."""
    layers = [cls(UNITS, return_sequences=True, **options) for cls in (GRU, keras.layers.GRU)]
    rng = np.random.default_rng(2)
    for layer in layers:
        layer.build((None, None, 3))
    for one, other in zip(*(layer.trainable_variables for layer in layers), strict=True):
        value = rng.normal(size=one.shape)
        one.assign(value)
        other.assign(value)
    return layers[0], layers[1]


OURS, KERAS = pair()


def outputs_and_gradients(layer: keras.layers.Layer, inputs: np.ndarray, *, training: bool) -> list[np.ndarray]:
    variables = [variable.value for variable in layer.trainable_variables]
    given = tf.constant(inputs)
    upstream = tf.constant(np.random.default_rng(3).normal(size=(*inputs.shape[:2], UNITS)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(given)
        states = layer(given, training=training)
        loss = tf.reduce_sum(states * upstream)
    return [np.asarray(value) for value in (states, *tape.gradient(loss, [given, *variables]))]


@settings(max_examples=20)
@given(batch=st.integers(1, 4), time=st.integers(1, 9), training=st.booleans(), seed=st.integers(0, 99))
def test_outputs_and_gradients_are_keras_s(batch: int, time: int, training: bool, seed: int) -> None:
    inputs = np.random.default_rng(seed).normal(size=(batch, time, 3)).astype(np.float32)
    for ours, keras_s in zip(
        *(outputs_and_gradients(layer, inputs, training=training) for layer in (OURS, KERAS)), strict=True
    ):
        np.testing.assert_allclose(ours, keras_s, rtol=1e-4, atol=1e-5)


def test_one_step_by_hand() -> None:
    layer = GRU(1, return_sequences=True)
    layer.build((None, None, 1))
    # Columns: update gate, reset gate, candidate.
    layer.set_weights([np.array([[0.5, -1.0, 2.0]]), np.zeros((1, 3)), np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.4]])])
    update, reset = 1 / (1 + np.exp(-(0.5 * 3 + 0.1))), 1 / (1 + np.exp(-(-1.0 * 3 + 0.2)))
    candidate = np.tanh(2.0 * 3 + 0.3 + reset * 0.4)
    (((state,),),) = np.asarray(layer(np.array([[[3.0]]], np.float32)))
    assert state == pytest.approx((1 - update) * candidate, rel=1e-6)


def test_the_gradient_is_that_of_finite_differences() -> None:
    inputs = tf.constant(np.random.default_rng(5).normal(size=(2, 4, 3)), tf.float32)
    recurrent = OURS.cell.recurrent_kernel

    def loss() -> tf.Tensor:
        return tf.reduce_sum(tf.square(OURS(inputs, training=True)))

    with tf.GradientTape() as tape:
        value = loss()
    gradient = np.asarray(tape.gradient(value, recurrent.value))
    before = np.array(recurrent)
    for place in ((0, 0), (3, 7), (4, 14)):
        changed = [before.copy() for _ in range(2)]
        changed[0][place] -= 1e-2
        changed[1][place] += 1e-2
        values = []
        for one in changed:
            recurrent.assign(one)
            values.append(float(loss()))
        recurrent.assign(before)
        assert gradient[place] == pytest.approx((values[1] - values[0]) / 2e-2, rel=2e-2, abs=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"reset_after": False},
        {"use_bias": False},
        {"go_backwards": True},
        {"unroll": True},
    ],
)
def test_other_arguments_mean_what_they_mean_to_keras(options: dict[str, Any]) -> None:
    ours, keras_s = pair(**options)
    inputs = np.random.default_rng(1).normal(size=(2, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(inputs), keras_s(inputs), rtol=1e-5, atol=1e-6)


def test_a_mask_and_a_last_state_alone_mean_what_they_mean_to_keras() -> None:
    inputs = np.random.default_rng(1).normal(size=(2, 4, 3)).astype(np.float32)
    mask = np.array([[True, True, False, False], [True, True, True, True]])
    np.testing.assert_allclose(OURS(inputs, mask=mask), KERAS(inputs, mask=mask), rtol=1e-5, atol=1e-6)
    last, keras_s = GRU(UNITS), keras.layers.GRU(UNITS)
    last.build((None, None, 3))
    keras_s.build((None, None, 3))
    last.set_weights(OURS.get_weights())
    keras_s.set_weights(OURS.get_weights())
    np.testing.assert_allclose(last(inputs), keras_s(inputs), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last(inputs), np.asarray(OURS(inputs))[:, -1], rtol=1e-5, atol=1e-6)


def test_an_initial_state_is_used() -> None:
    inputs = np.random.default_rng(1).normal(size=(2, 4, 3)).astype(np.float32)
    state = np.random.default_rng(2).normal(size=(2, UNITS)).astype(np.float32)
    for training in (False, True):
        np.testing.assert_allclose(
            OURS(inputs, initial_state=state, training=training),
            KERAS(inputs, initial_state=state, training=training),
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.parametrize("training", [False, True])
def test_a_known_number_of_steps_stays_known(training: bool) -> None:
    graph = graph_function(lambda inputs: OURS(inputs, training=training), [tf.TensorSpec([None, 7, 3])])
    assert graph.get_concrete_function().output_shapes.as_list() == [None, 7, UNITS]


def test_its_arguments_come_back() -> None:
    again = keras.layers.deserialize(keras.layers.serialize(OURS))
    assert type(again) is GRU
    assert again.get_config() == OURS.get_config()

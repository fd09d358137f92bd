from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.network.attention import Attention, word_weights
from components.network.word_dropout import WordDropout

BATCH, TIME, UNITS = 3, 4, 2
STATES = np.random.default_rng(1).normal(size=(BATCH, TIME, UNITS)).astype(np.float32)
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]], bool)
TOKEN_IDS = np.array([[1, 4, 5, 2], [1, 900, 0, 0], [1, 0, 0, 0]], np.int64)

COMBINATIONS = [
    (mode, softmax, pooling, mask)
    for mode in ("scalar", "vector")
    for softmax, pooling, mask in (
        ("time", "sum", None),
        ("time", "sum", MASK),
        ("last", "sum", None),
        ("last", "flatten", None),
        ("time", "flatten", None),
    )
]


def attention(mode: str, softmax: str = "time", pooling: str = "sum", **kwargs: Any) -> Attention:
    layer = Attention(mode, softmax, pooling, **kwargs)
    layer(STATES)
    rng = np.random.default_rng(2)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def by_hand(layer: Attention, states: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The formulas, step by step in plain loops."""
    kernel, bias = layer.get_weights()
    weights = np.zeros((*states.shape[:2], kernel.shape[1]))
    for row in range(len(states)):
        steps = [step for step in range(states.shape[1]) if mask is None or mask[row, step]]
        exponentials = {step: np.exp(states[row, step] @ kernel + bias) for step in steps}
        for step in steps:
            total = sum(exponentials.values()) if layer.softmax == "time" else exponentials[step].sum()
            weights[row, step] = exponentials[step] / total
    weighted = weights * states
    return (weighted.sum(axis=1) if layer.pooling == "sum" else weighted.reshape(len(states), -1)), weights


@pytest.mark.parametrize(("mode", "softmax", "pooling", "mask"), COMBINATIONS)
def test_equals_the_formulas_written_out(mode: str, softmax: str, pooling: str, mask: np.ndarray | None) -> None:
    layer = attention(mode, softmax, pooling)
    pooled, weights = layer(STATES, mask=mask, return_weights=True)
    expected_pooled, expected_weights = by_hand(layer, STATES, mask)
    np.testing.assert_allclose(pooled, expected_pooled, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights, expected_weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer(STATES, mask=mask), pooled)


def test_two_words_by_hand() -> None:
    layer = Attention("scalar")
    states = np.array([[[0.0, 5.0], [1.0, 7.0]]], np.float32)
    layer(states)
    # Scores 0 and ln 3: weights 1/4 and 3/4.
    layer.set_weights([np.array([[np.log(3.0)], [0.0]]), np.array([0.0])])
    pooled, weights = layer(states, return_weights=True)
    np.testing.assert_allclose(weights, [[[0.25], [0.75]]], rtol=1e-6)
    np.testing.assert_allclose(pooled, [[0.75, 0.25 * 5.0 + 0.75 * 7.0]], rtol=1e-6)


@pytest.mark.parametrize("mode", ["scalar", "vector"])
@pytest.mark.parametrize("huge", [1.0, 1e4])
def test_masked_steps_have_weight_zero(mode: str, huge: float) -> None:
    layer = attention(mode)
    pooled, weights = layer(STATES, mask=MASK, return_weights=True)
    weights = np.asarray(weights)
    assert np.all(weights[~MASK] == 0.0)
    np.testing.assert_allclose(weights.sum(axis=1), np.ones((BATCH, 1 if mode == "scalar" else UNITS)), rtol=1e-6)
    # Masked values have no influence, however large.
    changed = np.where(MASK[..., None], STATES, huge)
    np.testing.assert_array_equal(layer(changed, mask=MASK), pooled)


@pytest.mark.parametrize("mode", ["scalar", "vector"])
def test_a_row_of_padding_stays_finite_and_so_do_gradients(mode: str) -> None:
    layer = attention(mode)
    states = tf.constant(STATES)
    with tf.GradientTape() as tape:
        tape.watch(states)
        pooled, weights = layer(states, mask=np.zeros((BATCH, TIME), bool), return_weights=True)
        loss = tf.reduce_sum(tf.square(pooled - 1.0))
    gradients = tape.gradient(loss, [states, *layer.trainable_variables])
    np.testing.assert_array_equal(pooled, np.zeros((BATCH, UNITS)))
    np.testing.assert_array_equal(weights, np.zeros_like(weights))
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


@pytest.mark.parametrize("mode", ["scalar", "vector"])
def test_half_precision_weights_still_sum_to_one(mode: str) -> None:
    layer = Attention(mode, dtype="mixed_float16")
    pooled, weights = layer(np.ones((1, 200, UNITS)), return_weights=True)
    assert pooled.dtype == tf.float16
    assert weights.dtype == tf.float32
    np.testing.assert_allclose(np.asarray(weights).sum(axis=1), 1.0, rtol=1e-5)


def test_the_blogs_scalar_weights_are_all_one() -> None:
    _, weights = attention("scalar", "last", "flatten")(STATES, return_weights=True)
    np.testing.assert_allclose(weights, np.ones((BATCH, TIME, 1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "softmax", "row_sums"),
    [("scalar", "time", 1.0), ("vector", "time", 1.0), ("scalar", "last", TIME), ("vector", "last", TIME / UNITS)],
)
def test_word_weights_are_one_number_a_word(mode: str, softmax: str, row_sums: float) -> None:
    _, weights = attention(mode, softmax)(STATES, return_weights=True)
    reduced = word_weights(weights)
    np.testing.assert_allclose(reduced, np.asarray(weights).mean(axis=2), rtol=1e-6)
    np.testing.assert_allclose(np.sum(reduced, axis=1), np.full(BATCH, row_sums), rtol=1e-5)


@pytest.mark.parametrize(
    "arguments", [{"mode": "matrix"}, {"softmax": "words"}, {"pooling": "max"}], ids=lambda given: next(iter(given))
)
def test_unknown_settings_are_refused(arguments: dict[str, str]) -> None:
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"{name}='{value}'; use one of"):
        Attention(**arguments)


LAYERS: list[Any] = [
    *(
        pytest.param(lambda c=combination: attention(*c[:3]), STATES, {"mask": combination[3]}, id=f"attention-{n}")
        for n, combination in enumerate(COMBINATIONS)
    ),
    pytest.param(lambda: WordDropout(0.5, seed=3), TOKEN_IDS, {}, id="word_dropout"),
]


@pytest.mark.parametrize(("make", "inputs", "call"), LAYERS)
class TestContractOfLayers:
    def test_every_argument_is_an_attribute(
        self, make: Callable[[], keras.layers.Layer], inputs: np.ndarray, call: dict[str, Any]
    ) -> None:
        layer = make()
        config = layer.get_config()
        assert {key: getattr(layer, key) for key in config if key != "dtype"} == {
            key: value for key, value in config.items() if key != "dtype"
        }

    def test_serialization_round_trips(
        self, make: Callable[[], keras.layers.Layer], inputs: np.ndarray, call: dict[str, Any]
    ) -> None:
        layer = make()
        # Without custom_objects: the class is registered.
        copy = keras.layers.deserialize(keras.layers.serialize(layer))
        copy(inputs, **call)
        copy.set_weights(layer.get_weights())
        assert type(copy) is type(layer)
        assert copy.get_config() == layer.get_config()
        np.testing.assert_array_equal(copy(inputs, **call), layer(inputs, **call))

    def test_eager_equals_graph(
        self, make: Callable[[], keras.layers.Layer], inputs: np.ndarray, call: dict[str, Any]
    ) -> None:
        layer = make()
        graph = tf.function(lambda x: layer(x, **call))
        np.testing.assert_allclose(graph(tf.constant(inputs)), layer(inputs, **call), rtol=1e-6, atol=1e-6)

    def test_symbolic_shape_and_dtype_are_the_real_ones(
        self, make: Callable[[], keras.layers.Layer], inputs: np.ndarray, call: dict[str, Any]
    ) -> None:
        layer = make()
        real = layer(inputs, **call)
        symbolic = make()(keras.Input(inputs.shape[1:], dtype=inputs.dtype.name))
        assert symbolic.shape == (None, *real.shape[1:])
        assert symbolic.dtype == real.dtype.name
        assert getattr(symbolic, "_keras_mask", None) is None

    def test_gradients_reach_all_weights(
        self, make: Callable[[], keras.layers.Layer], inputs: np.ndarray, call: dict[str, Any]
    ) -> None:
        layer = make()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer(inputs, **call), tf.float32) ** 2)
        gradients = tape.gradient(loss, layer.trainable_variables)
        assert all(gradient is not None and np.all(np.isfinite(gradient)) for gradient in gradients)

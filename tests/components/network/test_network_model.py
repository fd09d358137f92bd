from __future__ import annotations

import warnings
from functools import cache

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from components.network.model import build_model, explaining_model
from imdb_core.modes import MODES, Mode
from imdb_core.settings import ModelSettings, TransformSettings
from pipeline.settings import load_settings

TRANSFORM = TransformSettings(vocabulary_size=50, max_tokens=12)
ATTENTION = ModelSettings(word_dropout=0.0, embedding_dropout=0.0, dropout=0.0)
BLOG = load_settings(None, ["preset=blog"]).config.model
REGULARISED = ModelSettings(word_dropout=0.5, embedding_dropout=0.5, dropout=0.5)


def some_token_ids() -> np.ndarray:
    token_ids = np.random.default_rng(1).integers(1, TRANSFORM.vocabulary_size, size=(5, TRANSFORM.max_tokens))
    for row, length in enumerate((12, 7, 2)):
        token_ids[row, length:] = 0
    token_ids[3] = [1] + [0] * (TRANSFORM.max_tokens - 1)  # the empty review
    return token_ids


def the_blogs_network(mode: Mode) -> keras.Model:
    """The post's code with stock layers, read literally: Softmax() normalises the last axis."""
    tokens = keras.Input([TRANSFORM.max_tokens])
    states = keras.layers.GRU(64, return_sequences=True)(keras.layers.Embedding(50, 100)(tokens))
    weights = keras.layers.Softmax()(keras.layers.Dense(1 if mode == "scalar" else 64)(states))
    hidden = keras.layers.Flatten()(keras.layers.Multiply()([states, weights]))
    hidden = keras.layers.Dense(32, activation="relu")(hidden)
    return keras.Model(tokens, keras.layers.Dense(2, activation="softmax")(hidden))


@pytest.mark.parametrize("mode", MODES)
def test_preset_blog_is_the_blogs_network(mode: Mode) -> None:
    ours, theirs = build_model(BLOG, TRANSFORM, mode), the_blogs_network(mode)
    rng = np.random.default_rng(2)
    theirs.set_weights([rng.normal(scale=0.5, size=weight.shape) for weight in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    token_ids = some_token_ids()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are using a softmax over axis -1")
        expected = theirs(token_ids)
    assert np.ptp(np.asarray(expected)[:, 1]) > 0.05  # else anything would agree
    np.testing.assert_allclose(ours(token_ids), expected, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("settings", [ATTENTION, BLOG, REGULARISED])
def test_probabilities_are_probabilities(settings: ModelSettings, mode: Mode) -> None:
    probabilities = build_model(settings, TRANSFORM, mode)(np.vstack([some_token_ids(), np.zeros((1, 12), np.int64)]))
    assert probabilities.dtype == tf.float32
    assert np.all(np.asarray(probabilities) >= 0.0)
    np.testing.assert_allclose(np.sum(probabilities, axis=1), np.ones(6), rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
# Where padding is masked, a batch may be of any length.
@pytest.mark.parametrize(("settings", "time"), [(ATTENTION, None), (BLOG, TRANSFORM.max_tokens)])
def test_interface(settings: ModelSettings, time: int | None, mode: Mode) -> None:
    model = build_model(settings, TRANSFORM, mode)
    assert [(tensor.name, tensor.shape, tensor.dtype) for tensor in model.inputs] == [
        ("token_ids", (None, time), "int64")
    ]
    assert model.output_names == ["probabilities"]


@pytest.mark.parametrize(("settings", "layers"), [(ATTENTION, set()), (REGULARISED, {"word", "embedding", "dense"})])
def test_dropout_layers_exist_only_when_asked_for(settings: ModelSettings, layers: set[str]) -> None:
    names = {layer.name for layer in build_model(settings, TRANSFORM, "scalar").layers}
    dropout = {
        "word": {"word_dropout"},
        "embedding": {"embedding_dropout"},
        "dense": {"dropout_before_dense", "dropout_after_dense"},
    }
    assert {name for name in names if "dropout" in name} == set().union(*(dropout[layer] for layer in layers))


def test_dropout_works_in_training_alone() -> None:
    model = build_model(REGULARISED, TRANSFORM, "vector")
    token_ids = some_token_ids()
    np.testing.assert_array_equal(model(token_ids, training=False), model(token_ids, training=False))
    assert np.any(np.asarray(model(token_ids, training=True)) != np.asarray(model(token_ids, training=True)))


@pytest.mark.parametrize("settings", [ATTENTION, BLOG, REGULARISED])
def test_gru_stays_eligible_for_cudnn(settings: ModelSettings) -> None:
    gru = build_model(settings, TRANSFORM, "scalar").get_layer("gru")
    assert gru.use_cudnn == "auto"
    assert gru.activation is keras.activations.tanh
    assert gru.recurrent_activation is keras.activations.sigmoid
    assert (gru.dropout, gru.recurrent_dropout) == (0.0, 0.0)
    assert (gru.unroll, gru.use_bias, gru.reset_after, gru.go_backwards) == (False, True, True, False)
    # cuDNN fails on rows that are masked altogether: no mask may reach the layer.
    assert [tensor.shape for tensor in keras.tree.flatten(gru.input)] == [
        (None, None if settings.mask else TRANSFORM.max_tokens, 100)
    ]
    assert not model_has_mask_before(gru)


def model_has_mask_before(layer: keras.layers.Layer) -> bool:
    return any(getattr(tensor, "_keras_mask", None) is not None for tensor in keras.tree.flatten(layer.input))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("settings", [ATTENTION, BLOG, REGULARISED])
def test_explaining_model_gives_the_same_probabilities_and_one_weight_a_token(
    settings: ModelSettings, mode: Mode
) -> None:
    model, token_ids = build_model(settings, TRANSFORM, mode), some_token_ids()
    explaining = explaining_model(model)
    probabilities, weights = explaining(token_ids, training=False)
    np.testing.assert_array_equal(probabilities, model(token_ids, training=False))
    assert weights.shape == token_ids.shape
    assert {id(variable) for variable in explaining.variables} == {id(variable) for variable in model.variables}


@pytest.mark.parametrize("mode", MODES)
def test_attention_ignores_padding_and_sums_to_one(mode: Mode) -> None:
    token_ids = some_token_ids()
    _, weights = explaining_model(build_model(ATTENTION, TRANSFORM, mode))(token_ids, training=False)
    weights = np.asarray(weights)
    assert np.all(weights[token_ids == 0] == 0.0)
    assert np.all(weights[token_ids != 0] > 0.0)
    np.testing.assert_allclose(weights.sum(axis=1), np.ones(5), rtol=1e-5)
    # The empty review has its start mark to look at.
    assert weights[3, 0] == pytest.approx(1.0)


@cache
def explained_by(mode: Mode) -> keras.Model:
    keras.utils.set_random_seed(3)
    return explaining_model(build_model(ATTENTION, TRANSFORM, mode))


@given(
    mode=st.sampled_from(MODES),
    padding=st.integers(0, 50),
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=4),
)
@hypothesis.settings(max_examples=15)
def test_padding_changes_no_output_when_masked(mode: Mode, padding: int, lengths: list[int]) -> None:
    token_ids = np.random.default_rng(len(lengths)).integers(1, 50, size=(len(lengths), max(*lengths, 1)))
    token_ids[np.arange(token_ids.shape[1]) >= np.array(lengths)[:, np.newaxis]] = 0
    probabilities, weights = explained_by(mode)(token_ids, training=False)
    padded, padded_weights = explained_by(mode)(np.pad(token_ids, ((0, 0), (0, padding))), training=False)
    np.testing.assert_allclose(padded, probabilities, atol=1e-6)
    np.testing.assert_allclose(padded_weights[:, : token_ids.shape[1]], weights, atol=1e-6)
    assert not np.any(padded_weights[:, token_ids.shape[1] :])
    # Nor does the company in a batch.
    for row, length in enumerate(lengths):
        alone, _ = explained_by(mode)(token_ids[row : row + 1, : max(length, 1)], training=False)
        np.testing.assert_allclose(alone[0], probabilities[row], atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_saved_model_loads_without_custom_objects(mode: Mode, tmp_path) -> None:
    model, path = build_model(REGULARISED, TRANSFORM, mode), tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(loaded(some_token_ids()), model(some_token_ids()))
    np.testing.assert_array_equal(
        explaining_model(loaded)(some_token_ids())[1], explaining_model(model)(some_token_ids())[1]
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_seed_gives_the_initial_weights(mode: Mode) -> None:
    def weights(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return build_model(ATTENTION, TRANSFORM, mode).get_weights()

    first, again, other = weights(7), weights(7), weights(8)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))


def test_half_precision_ends_in_float32() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build_model(REGULARISED, TRANSFORM, "vector")
    finally:
        keras.config.set_dtype_policy("float32")
    probabilities, weights = explaining_model(model)(some_token_ids(), training=False)
    assert model.get_layer("gru").compute_dtype == "float16"
    assert (probabilities.dtype, weights.dtype) == (tf.float32, tf.float32)

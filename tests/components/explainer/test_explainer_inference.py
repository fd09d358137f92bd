from __future__ import annotations

import logging

import numpy as np
import pytest
from exported_models import a_model
from hand_made import DECISIVE, MAX_TOKENS, decisive_network
from transformed_reviews import Transformed

from components.explainer import inference
from components.explainer.aggregates import shares_of
from components.explainer.faithfulness import draws_for, measure
from components.explainer.inference import InferenceProgress, encode, inference_function
from components.network.model import explaining_model
from imdb_core.errors import RunError
from imdb_core.progress import PROGRESS_LOGGER

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(inference, "_BATCH", 16)


@pytest.fixture
def token_ids(transformed: Transformed) -> np.ndarray:
    return np.array([row["token_ids"] for row in transformed.rows])


def test_reviews_are_encoded_as_for_training_and_in_order(transformed, token_ids):
    np.testing.assert_array_equal(token_ids, encode(transformed.reviews, transformed.output))


@pytest.mark.parametrize("mode", ["scalar", "vector"])
@pytest.mark.parametrize("preset", ["attention", "blog"])
def test_short_batches_do_not_change_the_outputs(transformed, token_ids, preset, mode):
    network = a_model(preset, mode, transformed)
    empty = np.zeros((3, token_ids.shape[1]), np.int64)
    rows = np.concatenate([empty, token_ids])
    outputs = inference_function(network, InferenceProgress())(rows)
    probabilities, weights = explaining_model(network).predict(rows, verbose=0)
    np.testing.assert_allclose(outputs.probabilities, probabilities, atol=1e-5)
    np.testing.assert_allclose(outputs.weights, weights, atol=1e-5)


def test_no_reviews_give_empty_outputs(transformed):
    outputs = inference_function(a_model("attention", "scalar", transformed), InferenceProgress())(
        np.zeros((0, 12), np.int64)
    )
    assert (outputs.probabilities.shape, outputs.weights.shape) == ((0, 2), (0, 12))


def test_the_error_names_a_network_that_returns_nan(transformed, token_ids):
    network = a_model("attention", "scalar", transformed)
    # On some CPUs, a ReLU turns NaN into 0.
    network.layers[-1].bias.assign([np.nan] * 2)
    with pytest.raises(RunError, match="attention_scalar gave probabilities or weights that are NaN"):
        inference_function(network, InferenceProgress())(token_ids)


def test_attention_to_the_only_decisive_word_is_faithful():
    rng = np.random.default_rng(1)
    token_ids = np.zeros((300, MAX_TOKENS), np.int64)
    token_ids[:, 0] = 1
    token_ids[:, 1:21] = rng.integers(8, 100, (300, 20))
    token_ids[np.arange(300), rng.integers(1, 21, 300)] = DECISIVE
    run = inference_function(decisive_network(), InferenceProgress())
    outputs = run(token_ids)
    assert np.all(outputs.probabilities[:, 1] > 0.98)
    shares = shares_of(outputs.weights, token_ids != 0)
    found = measure(
        lambda ids: run(ids).probabilities, token_ids, shares, outputs.probabilities, draws_for(300, MAX_TOKENS, 1)
    )
    comprehensiveness, sufficiency = found["comprehensiveness"], found["sufficiency"]
    for place, k in enumerate(found["k"][:-1]):
        assert comprehensiveness["attention"][place]["mean"] == pytest.approx(0.964, abs=0.001)
        assert comprehensiveness["random"][place]["high"] < 0.964 * k / 20 + 0.1
        assert sufficiency["attention"][place]["mean"] == pytest.approx(0.0, abs=0.001)
        assert sufficiency["random"][place]["low"] > 0.964 * (1 - k / 20) - 0.1


def test_progress_is_logged_at_intervals(monkeypatch, caplog):
    caplog.set_level(logging.INFO, PROGRESS_LOGGER)
    progress = InferenceProgress()
    progress.advance(1200)
    assert caplog.messages == []
    monkeypatch.setattr(inference, "_PROGRESS_SECONDS", 0.0)
    progress.advance(34)
    assert caplog.messages == ["Explainer  1,234 reviews, whole or with words taken away"]

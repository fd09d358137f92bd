from __future__ import annotations

import keras
import numpy as np
import pytest
from exported_models import a_model
from transformed_reviews import Transformed

from components.explainer.dimensions import strongest_dimensions


@pytest.mark.parametrize("preset", ["attention", "blog"])
def test_shares_are_those_of_gradient_times_input_by_hand(transformed: Transformed, preset):
    network = a_model(preset, "vector", transformed)
    # Every ReLU is open, so the log-odds are linear in what the attention pooled.
    network.get_layer("dense").bias.assign([100.0] * 4)
    token_ids = np.array([row["token_ids"] for row in transformed.rows[5:9]])
    states = np.asarray(keras.Model(network.input, network.get_layer("gru").output)(token_ids))
    weights = np.asarray(keras.Model(network.input, network.get_layer("attention").output[1])(token_ids))
    last = np.asarray(network.get_layer("probabilities").kernel)
    gradient = np.asarray(network.get_layer("dense").kernel) @ (last[:, 1] - last[:, 0])
    steps = gradient.reshape(-1, 5) if preset == "blog" else gradient[np.newaxis]
    contributions = np.abs((weights * states * steps).sum(axis=1))
    shares = contributions / contributions.sum(axis=1, keepdims=True)

    found = strongest_dimensions(network, token_ids, 3)
    assert [len(dimensions) for dimensions in found] == [3] * 4
    for place, dimensions in enumerate(found):
        assert [one.dimension for one in dimensions] == np.argsort(-shares[place])[:3].tolist()
        for one in dimensions:
            assert one.share == pytest.approx(shares[place, one.dimension], abs=1e-4)
            np.testing.assert_allclose(one.weights, weights[place, :, one.dimension], atol=1e-6)


def test_all_shares_are_zero_if_nothing_contributes(transformed: Transformed):
    network = a_model("attention", "vector", transformed)
    network.get_layer("dense").bias.assign([-1000.0] * 4)  # every ReLU is shut
    token_ids = np.array([transformed.rows[5]["token_ids"]])
    assert [one.share for one in strongest_dimensions(network, token_ids, 2)[0]] == [0.0, 0.0]

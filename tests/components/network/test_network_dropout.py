from __future__ import annotations

import keras
import numpy as np
import pytest

from components.network.dropout import Dropout

ONES = np.ones((40, 30, 20), np.float32)


def test_changes_nothing_outside_training_or_with_rate_0() -> None:
    np.testing.assert_array_equal(Dropout(0.5)(ONES), ONES)
    np.testing.assert_array_equal(Dropout(0.0)(ONES, training=True), ONES)


def test_drops_a_share_and_keeps_the_expected_sum() -> None:
    dropped = np.asarray(Dropout(0.2, seed=5)(ONES, training=True))
    assert set(np.unique(dropped)) == {0.0, np.float32(1.25)}
    # 24,000 draws: four standard deviations are 0.011.
    assert abs((dropped == 0).mean() - 0.2) < 0.011


def test_a_shared_axis_has_one_draw() -> None:
    dropped = np.asarray(Dropout(0.5, shared_axes=[1], seed=5)(ONES, training=True))
    assert dropped.shape == ONES.shape
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 30, axis=1))
    assert len(np.unique(dropped[:, 0], axis=0)) == 40


def test_half_precision_stays_half_precision() -> None:
    layer = Dropout(0.5, dtype="float16")
    assert layer(keras.ops.ones([2, 3], "float16"), training=True).dtype == "float16"


def test_its_arguments_come_back() -> None:
    layer = Dropout(0.25, shared_axes=(1,), seed=7, name="word_vectors")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (again.rate, again.shared_axes, again.seed, again.name) == (0.25, [1], 7, "word_vectors")
    np.testing.assert_array_equal(again(ONES, training=True), layer(ONES, training=True))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_a_rate_that_is_no_probability_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="use a probability"):
        Dropout(rate)

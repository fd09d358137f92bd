from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.network import draws
from components.network.dropout import Dropout
from components.network.word_dropout import WordDropout

GENERATOR = keras.random.SeedGenerator(1)


def drawn(rows: int, first: int, length: int, seed: int = 1, count: int = 2) -> list[np.ndarray]:
    """Draws `[length, 3]` some times, as a replica does with rows from `first` of a batch of `rows`."""
    with draws.drawing(tf.constant([seed, 4], tf.int64), rows=rows, first=first, length=length):
        return [np.asarray(draws.uniform([length, 3], GENERATOR)) for _ in range(count)]


@settings(max_examples=30)
@given(rows=st.integers(1, 20), replicas=st.integers(1, 5))
def test_the_parts_of_a_batch_get_what_the_whole_batch_gets(rows: int, replicas: int) -> None:
    length = -(-rows // replicas)
    parts = [drawn(rows, replica * length, length) for replica in range(replicas)]
    for number, whole in enumerate(drawn(rows, 0, rows)):
        joined = np.concatenate([part[number] for part in parts])
        np.testing.assert_array_equal(joined[:rows], whole)
        assert not joined[rows:].any()


def test_draws_of_a_step_differ_and_so_do_steps() -> None:
    first, second = drawn(50, 0, 50)
    assert len(np.unique(np.concatenate([first, second, *drawn(50, 0, 50, seed=2)]))) > 590
    np.testing.assert_array_equal(drawn(50, 0, 50)[0], first)
    assert (first >= 0).all()
    assert (first < 1).all()


def test_outside_of_a_batch_a_layer_draws_by_its_own_generator() -> None:
    same = (keras.random.SeedGenerator(7) for _ in range(2))
    one, two = (np.asarray(draws.uniform([4, 5], generator)) for generator in same)
    np.testing.assert_array_equal(one, two)
    assert one.shape == (4, 5)


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [(Dropout(0.5), np.ones((6, 4), np.float32)), (WordDropout(0.5), np.full((6, 4), 9))],
    ids=["values", "words"],
)
def test_layers_draw_from_the_batch(layer: keras.layers.Layer, inputs: np.ndarray) -> None:
    def run(first: int, length: int) -> np.ndarray:
        with draws.drawing(tf.constant([1, 2]), rows=6, first=first, length=length):
            return np.asarray(layer(inputs[first : first + length], training=True))

    whole = run(0, 6)
    np.testing.assert_array_equal(np.concatenate([run(0, 3), run(3, 3)]), whole)
    assert 0 < (whole == inputs).mean() < 1 or 0 < (whole == 0).mean() < 1

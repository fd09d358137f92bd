from __future__ import annotations

import numpy as np
import pytest

from components.network.word_dropout import WordDropout

IDS = np.random.default_rng(4).integers(0, 20, size=(200, 50))


def test_changes_nothing_outside_training() -> None:
    np.testing.assert_array_equal(WordDropout(0.9)(IDS), IDS)


def test_replaces_words_by_the_unknown_word_and_nothing_else() -> None:
    dropped = np.asarray(WordDropout(0.3, seed=5)(IDS, training=True))
    is_word = IDS >= 4
    np.testing.assert_array_equal(dropped[~is_word], IDS[~is_word])
    changed = dropped != IDS
    assert set(dropped[changed]) == {2}
    # 8,000 draws: four standard deviations are 0.02.
    assert abs(changed[is_word].mean() - 0.3) < 0.02


def test_draws_anew_at_each_call_and_again_from_the_same_seed() -> None:
    layer, same = WordDropout(0.5, seed=6), WordDropout(0.5, seed=6)
    first, second = layer(IDS, training=True), layer(IDS, training=True)
    assert np.any(np.asarray(first) != np.asarray(second))
    np.testing.assert_array_equal(same(IDS, training=True), first)


@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_a_rate_that_is_no_probability_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="use a probability"):
        WordDropout(rate)

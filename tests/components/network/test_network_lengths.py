import numpy as np

from components.network.lengths import lengths


def test_lengths_count_tokens_and_are_at_least_one():
    assert lengths(np.array([[1, 5, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4]], np.int32)).tolist() == [
        2,
        1,
        1,
        4,
    ]

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from benchmarks.blog_training import area_under_curve, blog_model


def test_the_area_by_hand() -> None:
    assert area_under_curve(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8])) == 0.875  # 3.5 of 4 pairs


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
@settings(max_examples=50)
def test_the_area_is_that_of_scikit_learn(rated: list[tuple[bool, int]]) -> None:
    labels = np.array([0, 1, *(int(label) for label, _ in rated)])
    positive = np.array([0.2, 0.2, *(rating / 5 for _, rating in rated)])
    assert area_under_curve(labels, positive) == pytest.approx(roc_auc_score(labels, positive))


def test_the_network_has_the_size_of_the_posts() -> None:
    shared = 10_000 * 100 + 3 * 64 * (100 + 64 + 2) + (200 * 64 * 32 + 32) + (32 * 2 + 2)
    assert blog_model("scalar").count_params() == shared + 64 + 1
    assert blog_model("vector").count_params() == shared + 64 * 64 + 64

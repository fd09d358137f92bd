from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from components.trainer import embedding_init
from components.trainer.embedding_init import cooccurrence_vectors, cooccurrences, ppmi

pytestmark = pytest.mark.slow

# Words 4 and 5 occur only next to word 8, and words 6 and 7 only next to word 9.
TWINS = np.array([[1, 4, 8, 4, 8, 0], [1, 5, 8, 5, 8, 0], [1, 6, 9, 6, 9, 0], [1, 7, 9, 7, 9, 0]])


def initial(words: int, dimensions: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.05, 0.05, size=(words, dimensions)).astype(np.float32)


def test_cooccurrences_by_hand() -> None:
    # One apart: 4-5, 5-4 and 4-2; two apart: 4-4 and 5-2; three apart: 4-2.
    expected = np.zeros([6, 6])
    expected[4, 5] = expected[5, 4] = 2.0
    expected[4, 4] = 2 * (1 / 2)
    expected[4, 2] = expected[2, 4] = 1 + 1 / 3
    expected[5, 2] = expected[2, 5] = 1 / 2
    np.testing.assert_allclose(cooccurrences(np.array([[1, 4, 5, 4, 2, 0, 0]]), 6).toarray(), expected, rtol=1e-6)


def test_the_context_window_is_eight_tokens() -> None:
    counts = cooccurrences(np.array([[4, *range(10, 17), 5, 6]]), 20)
    assert counts[4, 5] == pytest.approx(1 / 8)
    assert counts[4, 6] == 0.0


@given(rows=st.lists(st.lists(st.integers(0, 7), min_size=12, max_size=12), max_size=5))
@settings(max_examples=50)
def test_cooccurrences_agree_with_a_plain_count(rows: list[list[int]]) -> None:
    expected: dict[tuple[int, int], float] = defaultdict(float)
    for row in rows:
        for i, one in enumerate(row):
            for j, other in enumerate(row):
                if 0 < abs(i - j) <= 8 and one >= 2 and other >= 2:
                    expected[one, other] += 1 / abs(i - j)
    counts = cooccurrences(np.array(rows, np.int32).reshape(-1, 12), 8).toarray()
    np.testing.assert_allclose(counts, [[expected[i, j] for j in range(8)] for i in range(8)], rtol=1e-5)


def test_reviews_are_added_up_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cooccurrences(TWINS, 10).toarray()
    monkeypatch.setattr(embedding_init, "_REVIEWS_AT_ONCE", 3)
    np.testing.assert_allclose(cooccurrences(TWINS, 10).toarray(), whole, rtol=1e-6)


def test_ppmi_by_hand() -> None:
    # Contexts weigh 2 ** 0.75 = 1.6818 and 6 ** 0.75 = 3.8337, in shares 0.30492 and 0.69508.
    information = ppmi(scipy.sparse.csr_matrix(np.array([[0, 2], [2, 4]], np.float32)))
    expected = [[0.0, np.log(2 / (2 * 0.69508))], [np.log(2 / (6 * 0.30492)), 0.0]]  # log(4 / (6 * 0.695)) < 0
    np.testing.assert_allclose(information.toarray(), expected, atol=1e-4)
    assert information.nnz == 2


def test_words_with_the_same_contexts_start_close_together() -> None:
    vectors = cooccurrence_vectors(TWINS, initial(10, 4), 0.1, seed=1)
    np.testing.assert_allclose(vectors[4], vectors[5], atol=1e-4)
    np.testing.assert_allclose(vectors[6], vectors[7], atol=1e-4)
    assert np.linalg.norm(vectors[4] - vectors[6]) > 0.1


@pytest.mark.parametrize("dimensions", [3, 10, 14])  # fewer than words, as many, more
def test_vectors_are_those_of_a_dense_decomposition(dimensions: int) -> None:
    token_ids = np.random.default_rng(5).integers(2, 10, size=(40, 12))
    vectors = cooccurrence_vectors(token_ids, initial(10, dimensions), 0.2, seed=1)[2:]
    left, values, _ = np.linalg.svd(ppmi(cooccurrences(token_ids, 10)).toarray())
    expected = (left * np.sqrt(values))[2:, :dimensions]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    expected -= expected.mean(axis=0)
    # The spread of all numbers, the missing dimensions' zeros included.
    expected *= 0.2 / np.sqrt((expected**2).sum() / (len(expected) * dimensions))
    # Angles and lengths: the vectors themselves are rotated.
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-4)


def test_words_without_context_keep_their_initial_vectors() -> None:
    before = initial(12, 4)
    after = cooccurrence_vectors(TWINS, before, 0.1, seed=1)
    kept = [0, 1, 2, 3, 10, 11]
    np.testing.assert_array_equal(after[kept], before[kept])
    assert np.all(np.any(after[4:10] != before[4:10], axis=1))
    assert after[4:10].std() == pytest.approx(0.1, rel=1e-3)
    assert after.dtype == np.float32


@pytest.mark.parametrize("token_ids", [np.zeros([0, 6], np.int32), np.array([[1, 4, 0]]), np.array([[1, 4, 4]])])
def test_too_little_text_still_gives_finite_vectors(token_ids: np.ndarray) -> None:
    assert np.all(np.isfinite(cooccurrence_vectors(token_ids, initial(6, 4), 0.1, seed=1)))


def test_the_seed_determines_the_vectors() -> None:
    first, again, other = (cooccurrence_vectors(TWINS, initial(10, 4), 0.1, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_the_number_of_threads_changes_nothing() -> None:
    token_ids = np.random.default_rng(1).integers(2, 400, size=(200, 30), dtype=np.int32)
    vectors = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            vectors.append(cooccurrence_vectors(token_ids, initial(400, 100), 0.05, 1))
    np.testing.assert_array_equal(*vectors)

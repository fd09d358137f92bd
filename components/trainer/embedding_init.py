"""Initial word vectors from the training reviews alone: words that occur in similar contexts start close together.

The vectors are a truncated singular value decomposition of positive pointwise mutual information (PPMI). Sources:
Levy, Goldberg and Dagan 2015, "Improving distributional similarity with lessons learned from word embeddings", for
PPMI with smoothed contexts and for the singular values' square root; Pennington, Socher and Manning 2014, "GloVe", for
counts that fall with the distance; Halko, Martinsson and Tropp 2011, "Finding structure with randomness", for the
decomposition.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.sparse
from threadpoolctl import threadpool_limits

from imdb_core import features

# Greatest distance between a word and its context, in tokens.
_WINDOW: Final = 8
# Limits the influence of rare contexts (Levy et al., section 3.2).
_CONTEXT_SMOOTHING: Final = 0.75
# Oversampling and power iterations of the decomposition (Halko et al., section 4); three digits are enough here.
_OVERSAMPLING: Final = 20
_ITERATIONS: Final = 4
# Bounds memory: the pairs of this many reviews are counted at once.
_REVIEWS_AT_ONCE: Final = 20_000

_Matrix = npt.NDArray[np.float32]


def cooccurrence_vectors(token_ids: npt.NDArray[np.integer[Any]], initial: _Matrix, std: float, seed: int) -> _Matrix:
    """Computes word vectors from the words that occur near each other.

    They are scaled to the same length and rotated at random, so that all dimensions carry equal weight.

    Args:
        token_ids: Token ids of the training reviews, `[reviews, max_tokens]`.
        initial: Vectors for padding, the start mark and words without context, `[vocabulary_size, embedding_dim]`.
        std: Standard deviation of the new vectors' elements.
        seed: Seed of the decomposition and the rotation.

    Returns:
        Vectors of the same shape as `initial`, identical for identical arguments.
    """
    # The number of threads, which is by default that of the processor cores, changes the last digits.
    with threadpool_limits(1, user_api="blas"):
        return _vectors(token_ids, initial, std, seed)


def cooccurrences(token_ids: npt.NDArray[np.integer[Any]], vocabulary_size: int) -> scipy.sparse.csr_matrix:
    """Counts how often each pair of tokens occurs within `_WINDOW` tokens, weighted by 1 / distance.

    All out-of-vocabulary words count as one word; padding and start marks do not count. Takes token ids `[reviews,
    max_tokens]` and returns a symmetric float32 matrix `[vocabulary_size, vocabulary_size]`.
    """
    shape = (vocabulary_size, vocabulary_size)
    ahead = scipy.sparse.csr_matrix(shape, dtype=np.float32)
    for start in range(0, len(token_ids), _REVIEWS_AT_ONCE):
        part = token_ids[start : start + _REVIEWS_AT_ONCE]
        for distance in range(1, min(_WINDOW, part.shape[1] - 1) + 1):
            first, second = part[:, :-distance].ravel(), part[:, distance:].ravel()
            words = (first >= features.OOV_ID) & (second >= features.OOV_ID)
            counts = np.full(words.sum(), 1 / distance, np.float32)
            ahead += scipy.sparse.coo_matrix((counts, (first[words], second[words])), shape=shape).tocsr()
    return (ahead + ahead.T).tocsr()


def ppmi(counts: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """Computes positive pointwise mutual information: max(0, log(P(word, context) / (P(word) P'(context)))).

    P' is proportional to a context's count to the power of 0.75. `counts` is a non-negative float32 matrix `[words,
    contexts]`; the result has the same shape and dtype, and no stored zeros.
    """
    pairs = counts.tocoo()
    words = np.asarray(counts.sum(axis=1), np.float64).ravel()
    contexts = np.asarray(counts.sum(axis=0), np.float64).ravel() ** _CONTEXT_SMOOTHING
    expected = words[pairs.row] * (contexts[pairs.col] / max(contexts.sum(), 1.0))
    information = np.log(pairs.data / expected)
    kept = information > 0
    return scipy.sparse.csr_matrix(
        (information[kept].astype(np.float32), (pairs.row[kept], pairs.col[kept])), shape=counts.shape
    )


def _vectors(token_ids: npt.NDArray[np.integer[Any]], initial: _Matrix, std: float, seed: int) -> _Matrix:
    vocabulary_size, dimensions = initial.shape
    rng = np.random.default_rng(seed)
    information = ppmi(cooccurrences(token_ids, vocabulary_size))
    vectors = _singular_vectors(information, dimensions, rng)

    known = np.diff(information.indptr) > 0
    result = initial.copy()
    tiny = float(np.finfo(np.float32).tiny)
    if known.any():
        rows = vectors[known]
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), tiny)
        # The mean is common to all words and does not distinguish them.
        rows -= rows.mean(axis=0)
        rotation, _ = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))
        rows = rows @ rotation.astype(np.float32)
        # A vocabulary of one word has no spread; avoid a division by zero.
        result[known] = rows * (std / max(float(rows.std()), tiny))
    return result


def _singular_vectors(matrix: scipy.sparse.csr_matrix, rank: int, rng: np.random.Generator) -> _Matrix:
    """Returns the leading left singular vectors times the square root of their singular values, `[rows, rank]`."""
    columns = min(rank + _OVERSAMPLING, *matrix.shape)
    basis = matrix @ rng.standard_normal((matrix.shape[1], columns), dtype=np.float32)
    basis, _ = np.linalg.qr(basis)
    for _ in range(_ITERATIONS):
        other, _ = np.linalg.qr(matrix.T @ basis)
        basis, _ = np.linalg.qr(matrix @ other)
    left, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    vectors: _Matrix = ((basis @ left) * np.sqrt(values))[:, :rank]
    # A small vocabulary yields fewer dimensions than requested.
    return np.pad(vectors, ((0, 0), (0, rank - vectors.shape[1])))

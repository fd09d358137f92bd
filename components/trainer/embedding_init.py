"""Initial word vectors, from the training reviews alone: words that keep the same company begin close together.

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

from imdb_core import features

# How far company reaches, in tokens.
_WINDOW: Final = 8
# Without it rare contexts have too much to say (Levy et al., section 3.2).
_CONTEXT_SMOOTHING: Final = 0.75
# Oversampling and power iterations of the decomposition (Halko et al., section 4): three digits are plenty here.
_OVERSAMPLING: Final = 20
_ITERATIONS: Final = 4
# Bounds memory: pairs of so many reviews are held at once, before they are added up.
_REVIEWS_AT_ONCE: Final = 20_000

_Matrix = npt.NDArray[np.float32]


def cooccurrence_vectors(token_ids: npt.NDArray[np.integer[Any]], initial: _Matrix, std: float, seed: int) -> _Matrix:
    """Makes word vectors out of which words stand near which.

    Each has the same length, and their dimensions are rotated at random, so that all carry alike.

    Args:
        token_ids: `[reviews, max_tokens]`, of the training reviews.
        initial: `[vocabulary_size, embedding_dim]`; the vectors of padding, of the start mark and of words that keep
            no company are taken from here.
        std: standard deviation of the new vectors' numbers.
        seed: of the decomposition and the rotation.

    Returns:
        Same shape as `initial`; the same for the same arguments.
    """
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
        # What all words have in common tells nothing about any.
        rows -= rows.mean(axis=0)
        rotation, _ = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))
        rows = rows @ rotation.astype(np.float32)
        # A vocabulary of one word has no spread to scale.
        result[known] = rows * (std / max(float(rows.std()), tiny))
    return result


def cooccurrences(token_ids: npt.NDArray[np.integer[Any]], vocabulary_size: int) -> scipy.sparse.csr_matrix:
    """Counts, for each pair of tokens, how often they stand within `_WINDOW` tokens, 1 / distance each time.

    Words out of vocabulary count as one word; padding and start marks do not count.

    Args:
        token_ids: `[reviews, max_tokens]`.
        vocabulary_size: number of token ids.

    Returns:
        float32 `[vocabulary_size, vocabulary_size]`, symmetric.
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
    """Positive pointwise mutual information: max(0, log(P(word, context) / (P(word) P'(context)))).

    P' is proportional to a context's count to the power of 0.75.

    Args:
        counts: float32 `[words, contexts]`, of at least 0.

    Returns:
        Same shape and dtype as `counts`, without stored zeros.
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


def _singular_vectors(matrix: scipy.sparse.csr_matrix, rank: int, rng: np.random.Generator) -> _Matrix:
    """The leading left singular vectors times the square root of their singular values, `[rows, rank]`."""
    columns = min(rank + _OVERSAMPLING, *matrix.shape)
    basis = matrix @ rng.standard_normal((matrix.shape[1], columns), dtype=np.float32)
    basis, _ = np.linalg.qr(basis)
    for _ in range(_ITERATIONS):
        other, _ = np.linalg.qr(matrix.T @ basis)
        basis, _ = np.linalg.qr(matrix @ other)
    left, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    vectors: _Matrix = ((basis @ left) * np.sqrt(values))[:, :rank]
    # A small vocabulary has fewer dimensions than asked for.
    return np.pad(vectors, ((0, 0), (0, rank - vectors.shape[1])))

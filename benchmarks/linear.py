"""Logistic regression on words and pairs of words, under the limits of the network: what a network has to beat.

Each feature, the presence of a word or of a pair, is weighted by how much more often it occurs in positive than in
negative reviews, as in Wang and Manning, "Baselines and Bigrams" (ACL 2012); a logistic regression learns the rest.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import sklearn
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from benchmarks import machine
from benchmarks.blog_data import read_reviews
from benchmarks.markdown import page, section
from imdb_core.settings import TransformSettings
from imdb_core.tokens import words
from pipeline.text_table import TextTable

_STRENGTHS: Final = (0.03, 0.1, 0.3, 1.0)  # C of the logistic regression
_HELD_OUT: Final = 0.1  # of the training reviews, which choose C and train nothing
_SPECIAL: Final = 4  # ids of the network's vocabulary that are no words
_SMOOTHING: Final = 1.0
_ITERATIONS: Final = 1000

_Matrix: TypeAlias = Any  # scipy's sparse matrices have no types
_Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Limits:
    """What the network sees of a review.

    Attributes:
        words: The number of words that have an id.
        tokens: The number of words, the last ones of a review.
    """

    words: int = TransformSettings().vocabulary_size - _SPECIAL
    tokens: int = TransformSettings().max_tokens - 1  # beside the start mark


def run(data: str, limits: Limits | None = None, most: int | None = None) -> dict[str, Any]:
    """Trains and tests on words alone, and on words and pairs.

    Args:
        data: `sample` or the path of an aclImdb .tar.gz.
        limits: What of a review is used; the network's limits by default.
        most: Maximum number of reviews per split; None for all.

    Returns:
        A JSON record with a row for each set of features.

    Raises:
        SourceError: The data cannot be read.
    """
    limits = limits or Limits()
    splits = read_reviews(data, most)
    started = time.perf_counter()
    reviews = {split: [words(text, normalize=True) for text in read.texts] for split, read in splits.items()}
    read_seconds = time.perf_counter() - started
    counts = Counter(word for review in reviews["train"] for word in review)
    known = {word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: limits.words]}
    labels = {split: np.array(read.labels) for split, read in splits.items()}
    rows = []
    for title, with_pairs in (("words", False), ("words and pairs", True)):
        started = time.perf_counter()
        features = {
            split: [list(_features(review[-limits.tokens :], known, with_pairs=with_pairs)) for review in split_reviews]
            for split, split_reviews in reviews.items()
        }
        scores = _scores(features, labels)
        rows.append({"features": title, **scores, "seconds": read_seconds + time.perf_counter() - started})
    return {
        "data": PurePath(data).name,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(),
        "scikit-learn": sklearn.__version__,
        "words": limits.words,
        "tokens": limits.tokens,
        "reviews": {split: len(read.labels) for split, read in splits.items()},
        "rows": rows,
    }


def markdown(record: dict[str, Any]) -> str:
    """Renders a record for docs/results.md."""
    counts = record["reviews"]
    lines = [
        *section(
            f"A linear model under the same limits, {record['date']}",
            f"python -m benchmarks linear --data {record['data']}",
        ),
        f"- {counts['train']:,} training reviews, of which a tenth only chose C; {counts['test']:,} test reviews; the",
        f"  {record['words']:,} most frequent words, the last {record['tokens']} of each review.",
        f"- scikit-learn {record['scikit-learn']}; {record['machine']['cpu']}, {record['machine']['cores']} cores.",
        "",
        *_table(record).markdown(),
    ]
    return page(lines)


def _table(record: dict[str, Any]) -> TextTable:
    columns = ["features of a review", "number", "C", "accuracy", "AUC", "log loss", "s"]
    rows = [
        [
            row["features"],
            f"{row['number']:,}",
            f"{row['strength']:g}",
            *(f"{row[name]:.4f}" for name in ("accuracy", "auc", "log_loss")),
            f"{row['seconds']:.0f}",
        ]
        for row in record["rows"]
    ]
    return TextTable("On the test reviews", columns, rows)


def _features(review: Sequence[str], known: set[str], *, with_pairs: bool) -> Iterator[str]:
    """Yields the known words of a review, and the pairs of known words that follow each other."""
    yield from (word for word in review if word in known)
    if with_pairs:
        yield from (f"{one} {other}" for one, other in pairwise(review) if one in known and other in known)


def _scores(features: dict[str, list[list[str]]], labels: dict[str, _Labels]) -> dict[str, Any]:
    index = {name: number for number, name in enumerate(sorted({name for row in features["train"] for name in row}))}
    presence, expected = _presence(features["train"], index), labels["train"]
    choosing = np.random.default_rng(1).random(len(expected)) < _HELD_OUT
    ratios = _log_ratios(presence[~choosing], expected[~choosing])
    weighted = presence.multiply(ratios).tocsr()
    fitted = {}
    losses = {}
    for strength in _STRENGTHS:
        model = LogisticRegression(C=strength, solver="liblinear", max_iter=_ITERATIONS)
        fitted[strength] = model.fit(weighted[~choosing], expected[~choosing])
        losses[strength] = log_loss(expected[choosing], model.predict_proba(weighted[choosing])[:, 1], labels=[0, 1])
    strength = min(losses, key=lambda one: losses[one])
    test = _presence(features["test"], index).multiply(ratios).tocsr()
    positive = fitted[strength].predict_proba(test)[:, 1]
    return {
        "number": len(index),
        "strength": strength,
        "accuracy": float(accuracy_score(labels["test"], positive > 0.5)),  # noqa: PLR2004 - the likelier class
        "auc": float(roc_auc_score(labels["test"], positive)),
        "log_loss": float(log_loss(labels["test"], positive)),
    }


def _presence(rows: Sequence[Sequence[str]], index: dict[str, int]) -> _Matrix:
    """Returns float64 `[reviews, features]`: 1 where a feature occurs."""
    columns = [sorted({index[name] for name in row if name in index}) for row in rows]
    ends = np.cumsum([0, *map(len, columns)])
    places = np.array([column for row in columns for column in row], dtype=np.int64)
    return sparse.csr_matrix((np.ones(len(places)), places, ends), shape=(len(rows), len(index)))


def _log_ratios(presence: _Matrix, labels: _Labels) -> npt.NDArray[np.float64]:
    """Returns how much likelier each feature is in positive reviews: the logarithm of the ratio of its shares."""
    shares = []
    for label in (1, 0):
        counts = np.asarray(presence[labels == label].sum(axis=0)).ravel() + _SMOOTHING
        shares.append(counts / counts.sum())
    return np.asarray(np.log(shares[0] / shares[1]))

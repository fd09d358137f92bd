"""The blog's network and its training in plain Keras."""

import resource
import sys
import time
import warnings
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.blog_data import read_reviews
from benchmarks.blog_encoding import SPECIAL_IDS, encode, most_frequent_words, word_ids, words_of
from benchmarks.machine import gigabytes
from imdb_core import features
from imdb_core.modes import MODES, SCALAR

VOCABULARY_SIZE: Final = 10_000
MAX_TOKENS: Final = 200
BATCH_SIZE: Final = 64

_Array = NDArray[Any]


def run(data: str, limit: int | None, epochs: int, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Reads and encodes the data, and trains both modes.

    The seed determines the initial weights and the order of the reviews.

    Returns:
        The result as JSON, and the vocabulary. The result has the numbers of reviews `train` and `test`, `seed`,
        `seconds` with `read_and_encode`, `peak_gigabytes`, and `modes`, each with its `parameters` and, under
        `epochs`, accuracy, AUC, log loss, training and scoring seconds.

    Raises:
        SourceError: The data cannot be read.
    """
    started = time.monotonic()
    splits = read_reviews(data, limit)
    words = {split: [words_of(text) for text in reviews.texts] for split, reviews in splits.items()}
    vocabulary = most_frequent_words(words[features.TRAIN], VOCABULARY_SIZE - SPECIAL_IDS)
    ids = word_ids(vocabulary)
    train, test = (
        (_token_ids(words.pop(split), ids), np.array(splits[split].labels, np.int64))
        for split in (features.TRAIN, features.TEST)
    )
    read_and_encode = time.monotonic() - started

    with warnings.catch_warnings():
        # As in the post, the scalar mode's softmax runs over an axis of size 1, about which Keras warns.
        warnings.filterwarnings("ignore", message="You are using a softmax over axis")
        modes = {mode: _train(mode, train, test, epochs, seed) for mode in MODES}
    return {
        **{split: len(reviews.labels) for split, reviews in splits.items()},
        "seed": seed,
        "seconds": {"read_and_encode": read_and_encode},
        "modes": modes,
        "peak_gigabytes": gigabytes(resource.getrusage(resource.RUSAGE_SELF)),
    }, vocabulary


def blog_model(mode: str) -> keras.Model:
    """Builds the post's network: token ids `[batch, 200]` → probabilities float32 `[batch, 2]`, negative first."""
    token_ids = keras.Input([MAX_TOKENS])
    vectors = keras.layers.Embedding(VOCABULARY_SIZE, 100)(token_ids)
    states = keras.layers.GRU(64, return_sequences=True)(vectors)
    scores = keras.layers.Dense(1 if mode == SCALAR else 64)(states)
    weights = keras.layers.Softmax()(scores)
    hidden = keras.layers.Flatten()(keras.layers.Multiply()([weights, states]))
    hidden = keras.layers.Dense(32, activation="relu")(hidden)
    return keras.Model(token_ids, keras.layers.Dense(2, activation="softmax")(hidden))


def area_under_curve(labels: _Array, positive: _Array) -> float:
    """Returns the probability that a positive review is rated above a negative one; a tie counts half (Mann-Whitney).

    Args:
        labels: The labels, int `[n]`, 0 or 1, at least one of each.
        positive: The probabilities of the positive class, float `[n]`.
    """
    _, place, counts = np.unique(positive, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # 1-based; equal values share their mean rank
    positives = int(labels.sum())
    above = ranks[labels == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(labels) - positives)))


def _train(
    mode: str, train: tuple[_Array, _Array], test: tuple[_Array, _Array], epochs: int, seed: int
) -> dict[str, Any]:
    keras.utils.set_random_seed(seed)
    model = blog_model(mode)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    scores = _ScoreAfterEachEpoch(mode, *test)
    token_ids, labels = train
    model.fit(
        token_ids,
        keras.utils.to_categorical(labels, 2),
        batch_size=BATCH_SIZE,
        epochs=epochs,
        callbacks=[scores],
        verbose=0,
    )
    return {"parameters": model.count_params(), "epochs": scores.epochs}


def _token_ids(reviews: list[list[str]], ids: dict[str, int]) -> _Array:
    return np.array([encode(words, ids, MAX_TOKENS) for words in reviews], np.int32)


class _ScoreAfterEachEpoch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Scores the test set as `validation_data` does, in the same time, and adds log loss and AUC."""

    def __init__(self, mode: str, token_ids: _Array, labels: _Array) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []
        self._mode = mode
        self._token_ids = token_ids
        self._labels = labels
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        trained = time.monotonic()
        probabilities = self.model.predict(self._token_ids, batch_size=BATCH_SIZE, verbose=0).astype(np.float64)
        right = probabilities[np.arange(len(self._labels)), self._labels]
        self.epochs.append(
            {
                "accuracy": float(np.mean(probabilities.argmax(axis=1) == self._labels)),
                "auc": area_under_curve(self._labels, probabilities[:, 1]),
                "log_loss": float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean()),
                "training_seconds": trained - self._began,
                "scoring_seconds": time.monotonic() - trained,
            }
        )
        last = self.epochs[-1]
        print(
            f"script {self._mode} epoch {epoch + 1}  accuracy {last['accuracy']:.4f}  "
            f"{last['training_seconds']:.0f} s + {last['scoring_seconds']:.0f} s",
            file=sys.stderr,
            flush=True,
        )

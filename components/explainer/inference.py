"""Runs the models: the trained one on thousands of reviews, the served one on those that are shown."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft

from components.explainer.faithfulness import Floats, Ids
from components.network.model import explaining_model
from imdb_core import features, signatures
from imdb_core.errors import RunError
from imdb_core.progress import PROGRESS_LOGGER
from serving.runtime.cpp_loader import CppSavedModel

_BATCH: Final = 512
_PROGRESS_SECONDS: Final = 30.0

_progress = logging.getLogger(PROGRESS_LOGGER)


@dataclass(frozen=True)
class Answers:
    """What a model says of `n` reviews.

    Attributes:
        probabilities: float32 `[n, 2]`.
        weights: of its attention, one a token, float32 `[n, max_tokens]`.
    """

    probabilities: Floats
    weights: Floats


Run = Callable[[Ids], Answers]


class Progress:
    """Tells every half minute how many reviews went through a model. Threads may share it."""

    def __init__(self) -> None:
        self._done = 0
        self._told = time.monotonic()
        self._lock = Lock()

    def advance(self, count: int) -> None:
        """Adds `count` reviews."""
        with self._lock:
            self._done += count
            if time.monotonic() - self._told >= _PROGRESS_SECONDS:
                self._told = time.monotonic()
                _progress.info("Explainer  %s reviews, whole or with words taken away", f"{self._done:,}")


def encode(texts: Sequence[bytes], transform: tft.TFTransformOutput) -> Ids:
    """Sends reviews through the Transform graph.

    Args:
        texts: `n` reviews, UTF-8; one at least.
        transform: the graph that the models were trained on.

    Returns:
        int64 `[n, max_tokens]`.
    """
    layer = transform.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]  # no types
    def token_ids(batch: tf.Tensor) -> tf.Tensor:
        return layer({features.TEXT: batch[:, tf.newaxis]})[features.TOKEN_IDS]

    def encoded(start: int) -> Ids:
        ids: Ids = token_ids(tf.constant(list(texts[start : start + _BATCH]), tf.string)).numpy()
        return ids

    token_ids.get_concrete_function()
    # One batch alone keeps but one core busy.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(encoded, range(0, len(texts), _BATCH))))


def runner(network: keras.Model, padding_masked: bool, progress: Progress) -> Run:
    """Makes a function of a trained network that sends any number of reviews through it.

    Args:
        network: from `components.network.model.build_model`.
        padding_masked: whether padding at the end changes nothing, so that a batch need be no longer than its longest
            review.
        progress: told of each batch.

    Returns:
        `token_ids` int64 `[n, max_tokens]` → `Answers`, in the same order. It raises RunError where they are not
        finite.
    """
    explaining = explaining_model(network)
    length = None if padding_masked else network.input_shape[1]

    # Not `explaining(...)`, which insists on the length that the network was built with.
    @tf.function(input_signature=[tf.TensorSpec([None, length], tf.int64)])  # type: ignore[untyped-decorator]  # no types
    def run(token_ids: tf.Tensor) -> Any:
        return explaining.call(token_ids, training=False)

    run.get_concrete_function()  # here, for threads must not trace Keras layers side by side

    def answers(token_ids: Ids) -> Answers:
        lengths = (token_ids != features.PADDING_ID).sum(axis=1)
        order = np.argsort(lengths, kind="stable")
        probabilities: npt.NDArray[np.float32] = np.zeros((len(token_ids), len(features.SENTIMENTS)), np.float32)
        weights: npt.NDArray[np.float32] = np.zeros(token_ids.shape, np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            longest = max(lengths[rows[-1]], 1) if padding_masked else token_ids.shape[1]
            said, attended = run(tf.constant(token_ids[rows, :longest]))
            probabilities[rows], weights[rows, :longest] = said.numpy(), attended.numpy()
            progress.advance(len(rows))
        if not (np.isfinite(probabilities).all() and np.isfinite(weights).all()):
            raise RunError(
                f"{network.name} gave probabilities or weights that are NaN or infinite; see its Trainer's losses, and "
                "lower training.learning_rate if they diverge"
            )
        return Answers(probabilities, weights)

    return answers


def ask_served(saved_model: str, texts: Sequence[bytes]) -> tuple[npt.NDArray[np.object_], Answers]:
    """Asks an exported model to explain reviews, in the runtime that servers use.

    Args:
        saved_model: its folder.
        texts: `n` reviews, UTF-8.

    Returns:
        Tokens, bytes `[n, max_tokens]`, and `Answers`.

    Raises:
        RunError: the model cannot be run.
    """
    with CppSavedModel(saved_model) as model:
        said = model.run(signatures.EXPLAIN, {"text": list(texts)})
    return said[signatures.TOKENS], Answers(said[signatures.PROBABILITIES], said[signatures.ATTENTION])

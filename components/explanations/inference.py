"""Runs the models: the served one for what it attends to, the trained one for reviews with words taken away."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft

from components import model as models  # noqa: F401 - Keras finds the layers by import
from components import preprocessing, reviews
from components.cpp_loader import CppSavedModel
from components.errors import RunError
from components.explanations.faithfulness import Floats, Ids, Predict
from components.export import PADDING_TOKEN, START_TOKEN

_BATCH: Final = 256
_ENCODED_AT_ONCE: Final = 1024
_PROGRESS_SECONDS: Final = 30.0

_progress = logging.getLogger(reviews.PROGRESS_LOGGER)


@dataclass(frozen=True)
class Encoded:
    """Reviews as the network sees them.

    Attributes:
        tokens: bytes `[n, max_tokens]`: words, `[START]`, and nothing at padding.
        token_ids: int64 `[n, max_tokens]`.
    """

    tokens: npt.NDArray[np.object_]
    token_ids: Ids


@dataclass(frozen=True)
class Served:
    """What the exported model says.

    Attributes:
        probabilities: float32 `[n, 2]`.
        attention: float32 `[n, max_tokens]`.
    """

    probabilities: Floats
    attention: Floats


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


def encode(texts: Sequence[bytes], transform_output: str) -> Encoded:
    """Sends reviews through the Transform graph, and cuts them into the words that stand for the ids.

    Args:
        texts: `n` reviews, UTF-8.
        transform_output: folder of the Transform graph.
    """
    layer = tft.TFTransformOutput(transform_output).transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]  # no types
    def both(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        token_ids = layer({reviews.TEXT: batch[:, tf.newaxis]})[reviews.TOKEN_IDS]
        words = preprocessing.tokenize(batch)
        max_tokens = token_ids.shape[1]
        tokens = preprocessing.align(words, words[:, -max_tokens:], max_tokens, START_TOKEN, PADDING_TOKEN)
        return tokens, token_ids

    parts = [
        [output.numpy() for output in both(tf.constant(list(texts[start : start + _ENCODED_AT_ONCE]), tf.string))]
        for start in range(0, len(texts), _ENCODED_AT_ONCE)
    ]
    return Encoded(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def ask_served(
    saved_models: Mapping[reviews.Mode, str], texts: Sequence[bytes], progress: Progress
) -> dict[reviews.Mode, Served]:
    """Asks exported models to explain reviews, side by side, in the runtime that servers use.

    Args:
        saved_models: folders.
        texts: `n` reviews, UTF-8.
        progress: told of each batch.

    Raises:
        RunError: a model cannot be run, or gives numbers that are no weights and probabilities.
    """
    with ExitStack() as sessions, ThreadPoolExecutor(os.cpu_count()) as pool:
        loaded = {mode: sessions.enter_context(CppSavedModel(path)) for mode, path in saved_models.items()}

        def run(mode: reviews.Mode, start: int) -> tuple[Floats, Floats]:
            batch = texts[start : start + _BATCH]
            answers = loaded[mode].run(
                reviews.EXPLAIN, {"text": list(batch)}, outputs=(reviews.PROBABILITIES, reviews.ATTENTION)
            )
            for name, values in answers.items():
                if not np.isfinite(values).all():
                    raise RunError(
                        f"{loaded[mode].path} gave {name} that are NaN or infinite; see its Trainer's losses, and "
                        "lower training.learning_rate if they diverge"
                    )
            progress.advance(len(batch))
            return answers[reviews.PROBABILITIES], answers[reviews.ATTENTION]

        starts = range(0, len(texts), _BATCH)
        futures = {mode: [pool.submit(run, mode, start) for start in starts] for mode in loaded}
        return {
            mode: Served(*(np.concatenate(part) for part in zip(*(done.result() for done in waiting), strict=True)))
            for mode, waiting in futures.items()
        }


def predictor(network: keras.Model, padding_masked: bool, progress: Progress) -> Predict:
    """Makes a function of a trained network that sends any number of reviews through it.

    Args:
        network: `token_ids` int64 `[n, max_tokens]` → probabilities `[n, 2]`.
        padding_masked: whether padding at the end changes nothing, so that a batch need be no longer than its longest
            review. The network must then take other lengths than `max_tokens`.
        progress: told of each batch.

    Returns:
        `token_ids` → probabilities float32 `[n, 2]`, in the same order.
    """
    length = None if padding_masked else network.input_shape[1]

    # Not `network(...)`, which insists on the length that the network was built with.
    @tf.function(input_signature=[tf.TensorSpec([None, length], tf.int64)])  # type: ignore[untyped-decorator]  # no types
    def run(token_ids: tf.Tensor) -> tf.Tensor:
        return network.call(token_ids, training=False)

    run.get_concrete_function()  # here, for threads must not trace Keras layers side by side

    def predict(token_ids: Ids) -> Floats:
        lengths = (token_ids != reviews.PADDING_ID).sum(axis=1)
        order = np.argsort(lengths, kind="stable")
        probabilities: npt.NDArray[Any] = np.empty((len(token_ids), len(reviews.SENTIMENTS)), np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = token_ids[rows]
            if padding_masked:
                batch = batch[:, : max(lengths[rows[-1]], 1)]
            probabilities[rows] = run(tf.constant(batch)).numpy()
            progress.advance(len(rows))
        return probabilities

    return predict

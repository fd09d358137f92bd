"""Runs the models: the trained ones on thousands of reviews, the served ones on the reviews to show."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft

from components.explainer.arrays import Floats, TokenIds
from components.graph_functions import graph_function
from components.network.export import signature_inputs
from components.network.lengths import lengths
from components.network.model import explaining_model, takes_any_length
from imdb_core import features, signatures
from imdb_core.cores import usable_cores
from imdb_core.errors import RunError
from imdb_core.progress import PROGRESS_LOGGER
from serving.runtime.cpp_loader import CppSavedModel

_BATCH: Final = 512
_PROGRESS_SECONDS: Final = 30.0

_progress = logging.getLogger(PROGRESS_LOGGER)


@dataclass(frozen=True)
class ModelOutputs:
    """The outputs of a model: probabilities float32 `[n, 2]`, and attention weights float32 `[n, max_tokens]`."""

    probabilities: Floats
    weights: Floats


# Maps token ids `[n, max_tokens]` to the outputs of a network.
InferenceFunction = Callable[[TokenIds], ModelOutputs]


class InferenceProgress:
    """Logs every half minute how many reviews have passed through a model. Threads may share it."""

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


def encode(texts: Sequence[bytes], transform: tft.TFTransformOutput) -> TokenIds:
    """Sends at least one review, UTF-8, through the Transform graph that the models were trained on."""
    layer = transform.transform_features_layer()

    token_ids = graph_function(
        lambda batch: layer({features.TEXT: batch[:, tf.newaxis]})[features.TOKEN_IDS],
        [tf.TensorSpec([None], tf.string)],
    )

    def encoded(start: int) -> TokenIds:
        ids: TokenIds = token_ids(tf.constant(list(texts[start : start + _BATCH]), tf.string)).numpy()
        return ids

    token_ids.get_concrete_function()
    # A single batch keeps only one core busy.
    with ThreadPoolExecutor(usable_cores()) as pool:
        return np.concatenate(list(pool.map(encoded, range(0, len(texts), _BATCH))))


def inference_function(network: keras.Model, progress: InferenceProgress) -> InferenceFunction:
    """Compiles a trained network to a function that takes any number of reviews.

    Args:
        network: A network from `build_model`. If it ignores padding, a batch is no longer than its longest review.
        progress: Counts the reviews of each batch.

    Returns:
        The function. It raises RunError if outputs are not finite.
    """
    explaining = explaining_model(network)
    call = graph_function(
        lambda token_ids: explaining(token_ids, training=False),
        [tf.TensorSpec([None, network.input_shape[1]], tf.int64)],
    )
    call.get_concrete_function()  # threads must not trace Keras layers at the same time

    def run(token_ids: TokenIds) -> ModelOutputs:
        length = lengths(token_ids)
        order = np.argsort(length, kind="stable")
        probabilities: npt.NDArray[np.float32] = np.zeros((len(token_ids), len(features.SENTIMENTS)), np.float32)
        weights: npt.NDArray[np.float32] = np.zeros(token_ids.shape, np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            longest = length[rows[-1]] if takes_any_length(network) else token_ids.shape[1]
            batch_probabilities, batch_weights = call(tf.constant(token_ids[rows, :longest]))
            probabilities[rows], weights[rows, :longest] = batch_probabilities.numpy(), batch_weights.numpy()
            progress.advance(len(rows))
        if not (np.isfinite(probabilities).all() and np.isfinite(weights).all()):
            raise RunError(
                f"{network.name} gave probabilities or weights that are NaN or infinite; see its Trainer's losses, and "
                "lower training.learning_rate if they diverge"
            )
        return ModelOutputs(probabilities, weights)

    return run


def explain_served(saved_model: str, texts: Sequence[bytes]) -> tuple[npt.NDArray[np.object_], ModelOutputs]:
    """Calls signature `explain` of an exported model for `n` reviews, UTF-8, in the runtime that servers use.

    Returns:
        Tokens, bytes `[n, max_tokens]`, and the outputs of the model.

    Raises:
        RunError: The model cannot be run.
    """
    with CppSavedModel(saved_model) as model:
        outputs = model.run(signatures.EXPLAIN, signature_inputs(signatures.EXPLAIN, texts))
    return outputs[signatures.TOKENS], ModelOutputs(outputs[signatures.PROBABILITIES], outputs[signatures.ATTENTION])

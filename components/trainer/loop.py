"""The training loop: one step, one epoch, and the evaluation of a network.

Keras's own `fit` adds the mean losses of the replicas of a distribution strategy, so that gradients are too large by
their number (keras#19891), and cannot run under MultiWorkerMirroredStrategy at all (keras#20585). Here the loss of a
replica is the sum over its part of a batch, divided by the size of the whole batch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from components.graph_functions import graph_function
from components.network import draws
from components.network.model import takes_any_length
from components.trainer.datasets import Examples, evaluation_batches
from components.trainer.optimizer import apply_gradients, scaled_loss, unwrapped
from imdb_core import features

_EVALUATION_BATCH: Final = 256
# The least probability in a logarithm, as in Keras.
_EPSILON: Final = 1e-7

# Sums over examples: the loss of training, the log loss, and the number of right answers; float64 `[3]`.
_Sums = Any


@dataclass(frozen=True)
class Score:
    """Metrics of a network on held-out examples; `log_loss` is the cross-entropy without label smoothing."""

    log_loss: float
    accuracy: float


@dataclass(frozen=True)
class EpochMetrics:
    """Means over the examples of an epoch so far, measured during training, with dropout.

    Attributes:
        loss: What training minimises, with label smoothing.
        log_loss: The cross-entropy without label smoothing, comparable with `Score` and between settings.
        accuracy: The share of right answers.
    """

    loss: float
    log_loss: float
    accuracy: float


class TrainingLoop:
    """Trains a network on one device, or on several that share each batch, with the same result.

    Args:
        model: A network from `build_model`, built in the scope of `strategy`.
        optimizer: An optimizer, built in the same scope for the model's variables.
        strategy: The strategy from `prepare_device`.
        seed: Seed of dropout.
        label_smoothing: The share of the target that is moved to the other class.
        clip_norm: The largest global norm of the gradients; 0 does not clip them.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        *,
        seed: int,
        label_smoothing: float,
        clip_norm: float,
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._strategy = strategy
        self._seed = seed
        self._label_smoothing = label_smoothing
        self._clip_norm = clip_norm
        # One graph for batches of all sizes and lengths.
        batch = [tf.TensorSpec([None, model.input_shape[1]], tf.int32), tf.TensorSpec([None], tf.int32)]
        self._step = graph_function(self._distributed_step, batch)

    def run_epoch(
        self, batches: Iterable[Examples], on_batch: Callable[[int, Callable[[], EpochMetrics]], None]
    ) -> EpochMetrics:
        """Trains on each batch once.

        Args:
            batches: Batches from `training_batches`.
            on_batch: Called after each batch with the number of examples so far, and a function that returns the
                metrics so far. Calling that waits for the device, so it should not be called for every batch.

        Returns:
            The metrics of the epoch.
        """
        sums: _Sums = tf.zeros([3], tf.float64)
        count = 0
        for batch in batches:
            sums += self._step(tf.constant(batch.token_ids), tf.constant(batch.labels))
            count += len(batch.labels)
            on_batch(count, lambda sums=sums, count=count: _means(sums, count))  # type: ignore[misc]  # bound here
        return _means(sums, count)

    def _distributed_step(self, token_ids: tf.Tensor, labels: tf.Tensor) -> _Sums:
        # Every replica gets the whole batch, which is small, and takes its own part.
        sums = self._strategy.run(self._replica_step, args=(token_ids, labels))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _replica_step(self, token_ids: tf.Tensor, labels: tf.Tensor) -> _Sums:
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync
        rows = tf.shape(labels)[0]
        length = -(-rows // replicas)
        first = length * context.replica_id_in_sync_group
        if replicas > 1:
            # Equal parts: rows of padding, which weigh nothing, complete the last one.
            missing = length * replicas - rows
            token_ids = tf.pad(token_ids, [[0, missing], [0, 0]])[first : first + length]
            labels = tf.pad(labels, [[0, missing]])[first : first + length]
        weights = tf.cast(tf.range(first, first + length) < rows, tf.float32)
        targets = tf.one_hot(labels, len(features.SENTIMENTS))
        # The optimizer's steps are part of its checkpoint, so a training that resumes goes on with the same draws.
        step = tf.cast(unwrapped(self._optimizer).iterations, tf.int64)
        seed = tf.stack([tf.constant(self._seed, tf.int64), step])
        with draws.drawing(seed, rows=rows, first=first, length=length), tf.GradientTape() as tape:
            probabilities = self._model(token_ids, training=True)
            losses = weights * keras.losses.categorical_crossentropy(
                targets, probabilities, label_smoothing=self._label_smoothing
            )
            loss = scaled_loss(self._optimizer, tf.reduce_sum(losses) / tf.cast(rows, tf.float32))
        variables = self._model.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        apply_gradients(self._optimizer, gradients, variables, self._clip_norm)
        right = tf.cast(tf.equal(tf.argmax(probabilities, axis=1, output_type=tf.int32), labels), tf.float32)
        log_losses = keras.losses.categorical_crossentropy(targets, probabilities)
        sums = [losses, weights * log_losses, weights * right]
        return tf.stack([tf.reduce_sum(tf.cast(values, tf.float64)) for values in sums])


def evaluator(model: keras.Model) -> Callable[[Examples], Score]:
    """Returns a function that evaluates a network, with the weights that it has then, on at least one example.

    Args:
        model: A network from `build_model`.
    """
    # One graph for batches of all sizes and lengths.
    signature = [tf.TensorSpec([None, model.input_shape[1]], tf.int32)]
    probabilities_of = graph_function(lambda ids: model(ids, training=False), signature)

    def evaluate(examples: Examples) -> Score:
        probabilities = np.zeros([len(examples.labels), len(features.SENTIMENTS)])
        batches = evaluation_batches(examples, _EVALUATION_BATCH, by_length=takes_any_length(model))
        for rows, batch in batches:
            probabilities[rows] = probabilities_of(tf.constant(batch.token_ids)).numpy()
        given = probabilities[np.arange(len(probabilities)), examples.labels]
        return Score(
            log_loss=float(-np.log(np.clip(given, _EPSILON, 1 - _EPSILON)).mean()),
            accuracy=float((probabilities.argmax(axis=1) == examples.labels).mean()),
        )

    return evaluate


def _means(sums: _Sums, count: int) -> EpochMetrics:
    return EpochMetrics(*(float(value) for value in sums.numpy() / count))

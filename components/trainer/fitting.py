"""Fits a network of one attention mode, and evaluates it."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import keras
import tensorflow as tf

from components.network.model import EMBEDDING, build_model
from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples, evaluation_batches, steps, training_batches
from components.trainer.embedding_init import cooccurrence_vectors
from components.trainer.optimizer import EvaluateAveragedWeights, build_optimizer
from components.trainer.progress import TrainingProgress
from components.trainer.settings import FitSettings, trainer_id

# Cross-entropy without label smoothing, comparable between training and evaluation and between settings.
_LOG_LOSS: Final = "log_loss"
_ACCURACY: Final = "accuracy"

# The metric that early stopping and the Tuner minimise.
OBJECTIVE: Final = f"val_{_LOG_LOSS}"

_EVALUATION_BATCH: Final = 256


@dataclass(frozen=True)
class Score:
    """Metrics of a network on held-out examples; `log_loss` is the cross-entropy without label smoothing."""

    log_loss: float
    accuracy: float


def fit(
    settings: FitSettings,
    examples: Examples,
    held_out: Examples,
    *,
    strategy: tf.distribute.Strategy,
    checkpoint: EpochCheckpoint,
    log_dir: str,
    progress: keras.callbacks.Callback | None = None,
) -> keras.Model:
    """Trains a network, continuing from its last checkpoint if there is one.

    Args:
        settings: Settings of the network and its training.
        examples: Examples to train on, at least one.
        held_out: Examples for early stopping; may be empty.
        strategy: The strategy from `prepare_device`.
        checkpoint: The checkpoint of this training; it monitors `OBJECTIVE`.
        log_dir: Folder for TensorBoard.
        progress: Callback that reports progress; by default it logs a line per epoch.

    Returns:
        The network with the weights to keep.
    """
    network, training = settings.model, settings.training
    keras.utils.set_random_seed(training.seed)
    with strategy.scope():
        model = build_model(network, settings.transform, settings.mode)
        model.compile(
            optimizer=build_optimizer(training, steps(examples, training.batch_size)),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing),
            metrics=[_ACCURACY, keras.metrics.CategoricalCrossentropy(name=_LOG_LOSS)],
            # XLA cannot compile cuDNN's GRU (keras#18456), and is no faster on a CPU.
            jit_compile=False,
        )
        checkpoint.restore(model)
        if network.embedding_init == "cooccurrence" and not checkpoint.epochs_done:
            embeddings = model.get_layer(EMBEDDING).embeddings
            initial = keras.ops.convert_to_numpy(embeddings)
            embeddings.assign(cooccurrence_vectors(examples.token_ids, initial, network.embedding_std, training.seed))

    validation: dict[str, Any] = {}
    if len(held_out.labels):
        validation["validation_data"] = evaluation_batches(held_out, _EVALUATION_BATCH)
        validation["validation_steps"] = steps(held_out, _EVALUATION_BATCH)
    model.fit(
        training_batches(examples, training.batch_size, training.seed, first_epoch=checkpoint.epochs_done),
        steps_per_epoch=steps(examples, training.batch_size),
        initial_epoch=checkpoint.epochs_done,
        epochs=checkpoint.last_epoch(training.epochs),
        callbacks=[
            keras.callbacks.TensorBoard(log_dir, write_graph=False),
            # Before the checkpoint, which must save the weights that training continues with.
            EvaluateAveragedWeights(),
            checkpoint,
            # After the checkpoint, so that a reported epoch is already on disk.
            progress or TrainingProgress(trainer_id(settings.mode), training, len(examples.labels), loss=_LOG_LOSS),
        ],
        verbose=0,
        **validation,
    )
    checkpoint.keep_best()
    return model


def evaluate(model: keras.Model, held_out: Examples) -> Score:
    """Evaluates a network from `fit` on at least one example."""
    batches, count = evaluation_batches(held_out, _EVALUATION_BATCH), steps(held_out, _EVALUATION_BATCH)
    metrics = model.evaluate(batches, steps=count, return_dict=True, verbose=0)
    return Score(metrics[_LOG_LOSS], metrics[_ACCURACY])


def fingerprint(settings: FitSettings, examples: Examples, held_out: Examples) -> str:
    """Names a training by 64 hexadecimal digits, from everything that its weights depend on.

    These are the fields of `FitSettings`, not those of a subclass, and the examples to train on and to stop early by.
    """
    digest = hashlib.sha256(settings.model_dump_json(include=set(FitSettings.model_fields)).encode())
    for array in (*examples, *held_out):
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()

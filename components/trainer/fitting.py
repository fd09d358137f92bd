"""Fits one attention mode, and measures it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import keras
import tensorflow as tf

from components.network.model import EMBEDDING, build_model
from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples, evaluation_batches, steps, training_batches
from components.trainer.embedding_init import cooccurrence_vectors
from components.trainer.optimizer import build_optimizer
from components.trainer.progress import TrainingProgress
from components.trainer.weight_averaging import EvaluateAveragedWeights
from imdb_core.settings import ModelSettings, TrainingSettings, TransformSettings

if TYPE_CHECKING:
    pass


# Cross-entropy without label smoothing: comparable between training and evaluation, and between settings.
_LOG_LOSS: Final = "log_loss"

# What early stopping and the tuner look at.
OBJECTIVE: Final = f"val_{_LOG_LOSS}"

_EVALUATION_BATCH: Final = 256

# What the weights depend on, beside the examples.
_DETERMINING: Final = ("mode", "transform", "model", "training", "code_digest")


def fit(
    config: Mapping[str, Any],
    train: Examples,
    held_out: Examples,
    *,
    strategy: tf.distribute.Strategy,
    checkpoint: EpochCheckpoint,
    log_dir: str,
    progress: keras.callbacks.Callback | None = None,
) -> keras.Model:
    """Trains a network, from its last checkpoint on if it has one.

    Args:
        config: `mode`, `transform`, `model` and `training` as in `run_fn`.
        train: at least one example.
        held_out: for early stopping; may be empty.
        strategy: from `prepare_device`.
        checkpoint: monitors `OBJECTIVE`.
        log_dir: of TensorBoard.
        progress: tells of the epochs; by default a line for each.

    Returns:
        The network with the weights to keep.
    """
    mode = config["mode"]
    network = ModelSettings.model_validate(config["model"])
    training = TrainingSettings.model_validate(config["training"])
    keras.utils.set_random_seed(training.seed)
    with strategy.scope():
        model = build_model(network, TransformSettings.model_validate(config["transform"]), mode)
        model.compile(
            optimizer=build_optimizer(training, steps(train, training.batch_size)),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing),
            metrics=["accuracy", keras.metrics.CategoricalCrossentropy(name=_LOG_LOSS)],
            # XLA cannot compile cuDNN's GRU (keras#18456), and gains nothing on a CPU.
            jit_compile=False,
        )
        checkpoint.restore(model)
        if network.embedding_init == "cooccurrence" and not checkpoint.epochs_done:
            embeddings = model.get_layer(EMBEDDING).embeddings
            initial = keras.ops.convert_to_numpy(embeddings)
            embeddings.assign(cooccurrence_vectors(train.token_ids, initial, network.embedding_std, training.seed))

    validation: dict[str, Any] = {}
    if len(held_out.labels):
        validation["validation_data"] = evaluation_batches(held_out, _EVALUATION_BATCH)
        validation["validation_steps"] = steps(held_out, _EVALUATION_BATCH)
    model.fit(
        training_batches(train, training.batch_size, training.seed, first_epoch=checkpoint.epochs_done),
        steps_per_epoch=steps(train, training.batch_size),
        initial_epoch=checkpoint.epochs_done,
        epochs=checkpoint.last_epoch(training.epochs),
        callbacks=[
            keras.callbacks.TensorBoard(log_dir, write_graph=False),
            # Before the checkpoint, which is to find the weights that training goes on with.
            EvaluateAveragedWeights(),
            checkpoint,
            # Last: what a person has been told is on disk.
            progress or TrainingProgress(f"Trainer.{mode}", training, len(train.labels), loss=_LOG_LOSS),
        ],
        verbose=0,
        **validation,
    )
    checkpoint.keep_best()
    return model


def evaluate(model: keras.Model, held_out: Examples) -> dict[str, float]:
    """Measures a network.

    Args:
        model: from `fit`.
        held_out: at least one example.

    Returns:
        `log_loss`, `accuracy`, and the `loss` with label smoothing.
    """
    measured: dict[str, float] = model.evaluate(
        evaluation_batches(held_out, _EVALUATION_BATCH),
        steps=steps(held_out, _EVALUATION_BATCH),
        return_dict=True,
        verbose=0,
    )
    return measured


def fingerprint(config: Mapping[str, Any], train: Examples, held_out: Examples) -> str:
    """Names a training by all that its weights depend on: settings, code and examples.

    Args:
        config: `custom_config` as in `run_fn`.
        train: training examples.
        held_out: examples for early stopping.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps({key: config[key] for key in _DETERMINING}, sort_keys=True).encode())
    for array in (*train, *held_out):
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()

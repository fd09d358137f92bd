"""Fits a network of one attention mode, and evaluates it."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import keras
import tensorflow as tf

from components.network.model import EMBEDDING, build_model, takes_any_length
from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples, steps, training_batches
from components.trainer.embedding_init import cooccurrence_vectors
from components.trainer.loop import EpochMetrics, Score, TrainingLoop, evaluator
from components.trainer.optimizer import averaged_weights, build_optimizer
from components.trainer.progress import TrainingProgress
from components.trainer.settings import FitSettings

_EVALUATED: Final = "val_"

# The metric that early stopping and the Tuner minimise.
OBJECTIVE: Final = f"{_EVALUATED}log_loss"


def fit(
    settings: FitSettings,
    examples: Examples,
    held_out: Examples,
    *,
    strategy: tf.distribute.Strategy,
    checkpoint: EpochCheckpoint,
    log_dir: str,
    progress: TrainingProgress,
) -> keras.Model:
    """Trains a network, continuing from its last checkpoint if there is one.

    Args:
        settings: Settings of the network and its training.
        examples: Examples to train on, at least one.
        held_out: Examples for early stopping; may be empty.
        strategy: The strategy from `prepare_device`.
        checkpoint: The checkpoint of this training; it monitors `OBJECTIVE`.
        log_dir: Folder for TensorBoard.
        progress: Reports progress.

    Returns:
        The network, uncompiled, with the weights to keep.
    """
    network, training = settings.model, settings.training
    keras.utils.set_random_seed(training.seed)
    with strategy.scope():
        model = build_model(network, settings.transform, settings.mode)
        optimizer = build_optimizer(training, steps(examples, training.batch_size))
        optimizer.build(model.trainable_variables)
        checkpoint.restore(model, optimizer)
        if network.embedding_init == "cooccurrence" and not checkpoint.epochs_done:
            embeddings = model.get_layer(EMBEDDING).embeddings
            initial = keras.ops.convert_to_numpy(embeddings)
            embeddings.assign(cooccurrence_vectors(examples.token_ids, initial, network.embedding_std, training.seed))
        loop = TrainingLoop(
            model,
            optimizer,
            strategy,
            seed=training.seed,
            label_smoothing=training.label_smoothing,
            clip_norm=training.clip_norm,
        )
        evaluate = evaluator(model)
        while checkpoint.epochs_done < training.epochs and not checkpoint.is_patience_over:
            progress.begin_epoch(checkpoint.epochs_done + 1)
            batches = training_batches(
                examples, training.batch_size, training.seed, checkpoint.epochs_done, by_length=takes_any_length(model)
            )
            metrics = loop.run_epoch(batches, progress.end_batch)
            score = None
            if len(held_out.labels):
                with averaged_weights(model, optimizer):
                    score = evaluate(held_out)
            checkpoint.end_epoch(_named(metrics, score))
            _write_summaries(log_dir, checkpoint.history)
            # After the checkpoint, so that a reported epoch is already on disk.
            progress.end_epoch(metrics, score)
        checkpoint.keep_best()
    return model


def fingerprint(settings: FitSettings, examples: Examples, held_out: Examples) -> str:
    """Names a training by 64 hexadecimal digits, from everything that its weights depend on.

    These are the fields of `FitSettings`, not those of a subclass, and the examples to train on and to stop early by.
    """
    digest = hashlib.sha256(settings.model_dump_json(include=set(FitSettings.model_fields)).encode())
    for array in (*examples, *held_out):
        digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()


def _named(metrics: EpochMetrics, score: Score | None) -> dict[str, float]:
    evaluated = {f"{_EVALUATED}{name}": value for name, value in asdict(score).items()} if score else {}
    return {**asdict(metrics), **evaluated}


def _write_summaries(log_dir: str, history: Mapping[str, Sequence[float]]) -> None:
    """Writes the last epoch of a history for TensorBoard, where Keras's own callback would."""
    for folder, is_evaluated in (("train", False), ("validation", True)):
        names = [name for name in history if name.startswith(_EVALUATED) == is_evaluated]
        if not names:
            continue
        with tf.summary.create_file_writer(os.path.join(log_dir, folder)).as_default():
            for name in names:
                values = history[name]
                tf.summary.scalar(f"epoch_{name.removeprefix(_EVALUATED)}", values[-1], step=len(values) - 1)

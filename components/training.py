"""Entry point of the Trainers: fits one attention mode and exports it.

TFX reloads the module it takes `run_fn` from, so Keras registrations live elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import reviews
from components.checkpoints import EpochCheckpoint
from components.child_process import run_in_child
from components.datasets import Examples, evaluation_batches, load_examples, steps, training_batches
from components.devices import needs_own_process, prepare_device
from components.embedding_init import cooccurrence_vectors
from components.errors import BadDataError
from components.export import export_model
from components.hyperparameters import with_values
from components.model import EMBEDDING, build_model
from components.optimizer import build_optimizer
from components.settings import ModelSettings, ServingSettings, TrainingSettings, TransformSettings
from components.training_progress import TrainingProgress
from components.weight_averaging import EvaluateAveragedWeights

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

HISTORY_FILE: Final = "history.json"

# Cross-entropy without label smoothing: comparable between training and evaluation, and between settings.
_LOG_LOSS: Final = "log_loss"
# What early stopping and the tuner look at.
OBJECTIVE: Final = f"val_{_LOG_LOSS}"
_EVALUATION_BATCH: Final = 256
# What the weights depend on, beside the examples.
_DETERMINING: Final = ("mode", "transform", "model", "training", "code_digest")


@dataclass(frozen=True)
class Job:
    """What a training needs of TFX's `FnArgs`, and can be sent to another process.

    Attributes:
        custom_config: `mode`, the dumped settings `transform`, `model`, `training` and `serving`, `code_digest`, and
            `checkpoint_root`, a folder that outlives the run.
        train_files: patterns or paths of transformed examples.
        eval_files: likewise; may be empty.
        transform_output: folder of the Transform graph.
        model_run_dir: for logs.
        serving_model_dir: for the SavedModel.
    """

    custom_config: Mapping[str, Any]
    train_files: Sequence[str]
    eval_files: Sequence[str]
    transform_output: str
    model_run_dir: str
    serving_model_dir: str


def run_fn(fn_args: FnArgs) -> None:
    """Trains a network on what Transform wrote and exports it; see `train`.

    On a machine with a GPU this process has been told to leave it alone, for the sake of the Beam stages; there the
    work is done in a process of its own.

    Args:
        fn_args: from TFX's Trainer; what its Tuner found stands in `hyperparameters` and goes before the settings.

    Raises:
        ReviewPipelineError: as `train`.
    """
    # Where nothing is held out the graph names the training files twice: TFX insists on some split.
    has_eval = fn_args.eval_files and fn_args.eval_files != fn_args.train_files
    job = Job(
        custom_config=with_values(fn_args.custom_config, (fn_args.hyperparameters or {}).get("values", {})),
        train_files=fn_args.train_files,
        eval_files=fn_args.eval_files if has_eval else [],
        transform_output=fn_args.transform_output,
        model_run_dir=fn_args.model_run_dir,
        serving_model_dir=fn_args.serving_model_dir,
    )
    if needs_own_process(job.custom_config["training"]["device"]):
        run_in_child(train, job)
    else:
        train(job)


def train(job: Job) -> None:
    """Fits one attention mode and exports it: a SavedModel, and the Keras model as it was trained beside it.

    Training stops early on the log loss of the eval files and keeps the best weights; without eval files it runs all
    epochs and keeps the last. Interrupted, it resumes after its last finished epoch. The TensorBoard logs and
    `history.json` (one list a measure, one number an epoch) go to `job.model_run_dir`.

    Args:
        job: settings and paths.

    Raises:
        BadDataError: there are no training examples.
        DeviceError: see `prepare_device`.
        RunError: the loss became NaN or infinite.
    """
    config = job.custom_config
    training = TrainingSettings.model_validate(config["training"])
    strategy = prepare_device(training)

    transform_output = tft.TFTransformOutput(job.transform_output)
    feature_spec = transform_output.transformed_feature_spec()
    examples = load_examples(job.train_files, feature_spec)
    held_out = load_examples(job.eval_files, feature_spec)
    if not len(examples.labels):
        raise BadDataError(f"no training examples in {job.train_files}; is the split `{reviews.TRAIN}` empty?")

    folder = os.path.join(config["checkpoint_root"], fingerprint(config, examples, held_out))
    checkpoint = EpochCheckpoint(folder, training.patience, OBJECTIVE)
    model = fit(config, examples, held_out, strategy=strategy, checkpoint=checkpoint, log_dir=job.model_run_dir)

    with tf.io.gfile.GFile(os.path.join(job.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(json.dumps(checkpoint.history, indent=2) + "\n")
    trained = os.path.join(os.path.dirname(job.serving_model_dir.rstrip("/")), reviews.TRAINED_MODEL)
    tf.io.gfile.makedirs(os.path.dirname(trained))
    # Before the export, which takes the GRU off cuDNN: nothing is changed that the file could hold.
    model.save(trained)
    export_model(model, transform_output, job.serving_model_dir, ServingSettings.model_validate(config["serving"]))
    checkpoint.discard()


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

"""The Trainer's entry point: fits one attention mode and exports it.

TFX reloads the module that it takes `run_fn` from, so Keras registrations must be in other modules.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_transform as tft

from components.network.export import export_model
from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import load_examples
from components.trainer.devices import prepare_device
from components.trainer.fitting import OBJECTIVE, fingerprint, fit
from components.trainer.progress import TrainingProgress
from components.trainer.settings import TrainerSettings, trainer_id
from imdb_core import features
from imdb_core.errors import BadDataError
from imdb_core.file_names import HISTORY_FILE, TRAINED_MODEL
from imdb_core.hyperparameters import with_values

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs


@dataclass(frozen=True)
class TrainerJob:
    """The part of TFX's `FnArgs` that a training needs.

    Files are paths or patterns. Training stops early by `eval_files`, which may be empty.
    """

    settings: TrainerSettings
    train_files: Sequence[str]
    eval_files: Sequence[str]
    transform_output: str
    model_run_dir: str
    serving_model_dir: str


def run_fn(fn_args: FnArgs) -> None:
    """Trains a network on the transformed examples and exports it; see `train`.

    Args:
        fn_args: Arguments from TFX's Trainer. The Tuner's `hyperparameters` override the settings in `custom_config`.

    Raises:
        ValidationError: A key of `custom_config` is unknown or missing, or a value is not allowed.
    """
    settings = TrainerSettings.model_validate(fn_args.custom_config)
    # Without examples for early stopping the graph names the training split twice, because TFX requires a split.
    has_eval = fn_args.eval_files and fn_args.eval_files != fn_args.train_files
    job = TrainerJob(
        settings=with_values(settings, (fn_args.hyperparameters or {}).get("values", {})),
        train_files=fn_args.train_files,
        eval_files=fn_args.eval_files if has_eval else [],
        transform_output=fn_args.transform_output,
        model_run_dir=fn_args.model_run_dir,
        serving_model_dir=fn_args.serving_model_dir,
    )
    train(job)


def train(job: TrainerJob) -> None:
    """Fits one attention mode and exports it: a SavedModel, and beside it the Keras model as it was trained.

    Training stops early on the log loss of the eval files and keeps the best weights; without eval files it runs all
    epochs and keeps the last weights. An interrupted training resumes after its last finished epoch. TensorBoard logs
    and `history.json` (one list per metric, one number per epoch) go to `job.model_run_dir`.

    Raises:
        BadDataError: There are no training examples.
        DeviceError: See `prepare_device`.
        RunError: The loss became NaN or infinite.
    """
    settings = job.settings
    strategy = prepare_device(settings.training)

    transform_output = tft.TFTransformOutput(job.transform_output)
    feature_spec = transform_output.transformed_feature_spec()
    examples = load_examples(job.train_files, feature_spec)
    held_out = load_examples(job.eval_files, feature_spec)
    if not len(examples.labels):
        raise BadDataError(f"no training examples in {job.train_files}; is the split `{features.TRAIN}` empty?")

    folder = os.path.join(settings.checkpoint_root, fingerprint(settings, examples, held_out))
    checkpoint = EpochCheckpoint(folder, settings.training.patience, OBJECTIVE)
    model = fit(
        settings,
        examples,
        held_out,
        strategy=strategy,
        checkpoint=checkpoint,
        log_dir=job.model_run_dir,
        progress=TrainingProgress(trainer_id(settings.mode), settings.training, len(examples.labels)),
    )

    with tf.io.gfile.GFile(os.path.join(job.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(json.dumps(checkpoint.history, indent=2) + "\n")
    trained = os.path.join(os.path.dirname(job.serving_model_dir.rstrip("/")), TRAINED_MODEL)
    tf.io.gfile.makedirs(os.path.dirname(trained))
    # The export turns cuDNN off in the GRU; the Keras file does not record that, so the order does not matter to it.
    model.save(trained)
    export_model(
        model,
        transform_output,
        job.serving_model_dir,
        settings.serving,
        settings.transform,
        trained_on=settings.trained_on,
    )
    checkpoint.discard()

"""Entry point of the Trainers: fits one attention mode and exports it.

TFX reloads the module it takes `run_fn` from, so Keras registrations live elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_transform as tft

from components.network.export import export_model
from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import load_examples
from components.trainer.devices import needs_own_process, prepare_device
from components.trainer.fitting import OBJECTIVE, fingerprint, fit
from imdb_core import features, file_names
from imdb_core.child_process import run_in_child
from imdb_core.errors import BadDataError
from imdb_core.file_names import HISTORY_FILE
from imdb_core.hyperparameters import with_values
from imdb_core.settings import ServingSettings, TrainingSettings

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs


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
        raise BadDataError(f"no training examples in {job.train_files}; is the split `{features.TRAIN}` empty?")

    folder = os.path.join(config["checkpoint_root"], fingerprint(config, examples, held_out))
    checkpoint = EpochCheckpoint(folder, training.patience, OBJECTIVE)
    model = fit(config, examples, held_out, strategy=strategy, checkpoint=checkpoint, log_dir=job.model_run_dir)

    with tf.io.gfile.GFile(os.path.join(job.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(json.dumps(checkpoint.history, indent=2) + "\n")
    trained = os.path.join(os.path.dirname(job.serving_model_dir.rstrip("/")), file_names.TRAINED_MODEL)
    tf.io.gfile.makedirs(os.path.dirname(trained))
    # Before the export, which takes the GRU off cuDNN: nothing is changed that the file could hold.
    model.save(trained)
    export_model(model, transform_output, job.serving_model_dir, ServingSettings.model_validate(config["serving"]))
    checkpoint.discard()

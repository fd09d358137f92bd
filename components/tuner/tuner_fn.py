"""The Tuner's entry point: the search, its space and its score.

TFX reloads the module that it takes `tuner_fn` from, so classes must be in other modules.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from components.trainer.datasets import load_examples
from components.trainer.devices import prepare_device
from components.trainer.settings import FitSettings
from components.tuner.search import SettingsTuner, search_space
from components.tuner.settings import TunerSettings
from components.tuner.trials import Trials, draw
from imdb_core import features, modes
from imdb_core.errors import BadDataError
from imdb_core.hyperparameters import candidates, value_of

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

# Folder of the search, in the checkpoint root and in TFX's working directory.
_FOLDER: Final = "tuning"


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares the search for better settings.

    A later run repeats an interrupted search with the scores that it already has, and resumes the trial that was
    interrupted after its last finished epoch.

    Args:
        fn_args: Arguments from TFX's Tuner; their `custom_config` is a `TunerSettings`.

    Returns:
        A KerasTuner whose hyperparameters are named like settings, `section.key`.

    Raises:
        BadDataError: There are no training or no `eval` examples.
        DeviceError: See `prepare_device`.
        ValidationError: A key of `custom_config` is unknown or missing, or a value is not allowed.
    """
    settings = TunerSettings.model_validate(fn_args.custom_config)
    tuning, training = settings.tuning, settings.training
    # Parsing examples starts TensorFlow. Each trial prepares the device again, for its own settings.
    prepare_device(training)
    feature_spec = tft.TFTransformOutput(fn_args.transform_graph_path).transformed_feature_spec()
    train, held_out = (load_examples(files, feature_spec) for files in (fn_args.train_files, fn_args.eval_files))
    for split, examples in ((features.TRAIN, train), (features.EVAL, held_out)):
        if not len(examples.labels):
            raise BadDataError(
                f"the Tuner has no examples of the split `{split}`; give it more reviews, or set training.tune = false"
            )
    trials = Trials(
        [
            FitSettings(
                mode=mode,
                transform=settings.transform,
                model=settings.model,
                # The length of the schedule is part of a trial's settings.
                training=training.model_copy(update={"epochs": tuning.epochs or training.epochs}),
                code_digest=settings.code_digest,
            )
            for mode in (modes.MODES if tuning.mode == "both" else (tuning.mode,))
        ],
        draw(train, tuning.max_reviews, training.seed),
        held_out,
        os.path.join(settings.checkpoint_root, _FOLDER),
    )
    tried = candidates(tuning.space, settings.model, training)
    tuner = SettingsTuner(
        trials.score,
        search_space(tried, {key: value_of(settings, key) for key in tried}),
        trials=tuning.trials,
        seed=training.seed,
        directory=os.path.join(fn_args.working_dir, _FOLDER),
        on_end=trials.discard,
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={})

"""Entry point of the Tuner: which search, over what, scored how.

TFX reloads the module it takes `tuner_fn` from, so classes live elsewhere.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from components.trainer.datasets import load_examples
from components.tuner.search import SettingsTuner, search_space
from components.tuner.trials import Trials, draw
from imdb_core import features, modes
from imdb_core.errors import BadDataError
from imdb_core.hyperparameters import candidates
from imdb_core.settings import ModelSettings, TrainingSettings, TuningSettings

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

# Under the root of the checkpoints.
FOLDER: Final = "tuning"


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares the search for better settings.

    Interrupted, it is repeated by a later run with what has been scored already, the epochs of a trial that was
    running included.

    Args:
        fn_args: from TFX's Tuner. Its `custom_config` holds the dumped settings `transform`, `model`, `training` and
            `tuning`, `code_digest`, and `checkpoint_root`, a folder that outlives the run.

    Returns:
        A KerasTuner whose hyperparameters are named like settings, `section.key`.

    Raises:
        BadDataError: there are no training or no `eval` examples.
    """
    config = fn_args.custom_config
    model = ModelSettings.model_validate(config["model"])
    training = TrainingSettings.model_validate(config["training"])
    tuning = TuningSettings.model_validate(config["tuning"])
    feature_spec = tft.TFTransformOutput(fn_args.transform_graph_path).transformed_feature_spec()
    train, held_out = (load_examples(files, feature_spec) for files in (fn_args.train_files, fn_args.eval_files))
    for split, examples in ((features.TRAIN, train), (features.EVAL, held_out)):
        if not len(examples.labels):
            raise BadDataError(
                f"the Tuner has no examples of the split `{split}`; give it more reviews, or set training.tune = false"
            )
    trials = Trials(
        {
            **config,
            # The length of the schedule is part of a trial's settings.
            "training": {**config["training"], "epochs": tuning.epochs or training.epochs},
        },
        modes.MODES if tuning.mode == "both" else [tuning.mode],
        draw(train, tuning.max_reviews, training.seed),
        held_out,
        os.path.join(config["checkpoint_root"], FOLDER),
    )
    tried = candidates(tuning.space, model, training)
    current = {key: config[section][name] for key in tried for section, _, name in [key.partition(".")]}
    tuner = SettingsTuner(
        trials.score,
        search_space(tried, current),
        trials=tuning.trials,
        seed=training.seed,
        directory=os.path.join(fn_args.working_dir, FOLDER),
        on_end=trials.discard,
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={})

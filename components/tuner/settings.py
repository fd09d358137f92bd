"""The settings of the Tuner, which cross TFX's `custom_config` as JSON. No TensorFlow is imported here."""

from components.trainer.settings import Recipe
from imdb_core.settings import TuningSettings


class TunerSettings(Recipe):
    """The Tuner's `custom_config`, validated once by `tuner_fn`; the search starts with this recipe."""

    tuning: TuningSettings
    code_digest: str
    # The folder for checkpoints and scores outlives the run.
    checkpoint_root: str

"""The settings of the Tuner, which cross TFX's `custom_config` as JSON. No TensorFlow is imported here."""

from components.trainer.settings import Recipe
from imdb_core.settings import TuningSettings


class TunerSettings(Recipe):
    """The Tuner's `custom_config`, validated once by `tuner_fn`.

    Attributes:
        tuning: Settings of the search, which starts with this recipe.
        code_digest: Digest of the search's code.
        checkpoint_root: Folder for checkpoints and scores; it outlives the run.
    """

    tuning: TuningSettings
    code_digest: str
    checkpoint_root: str

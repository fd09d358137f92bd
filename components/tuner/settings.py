"""The settings of the Tuner.

They cross TFX's `custom_config` as JSON and are validated once, by `tuner_fn`. No TensorFlow is imported here.
"""

from imdb_core.settings import ModelSettings, Section, TrainingSettings, TransformSettings, TuningSettings


class TunerSettings(Section):
    """The Tuner's `custom_config`.

    Attributes:
        transform: Size of the vocabulary and length of a review.
        model: Current settings of the network.
        training: Current settings of the training.
        tuning: Settings of the search.
        code_digest: Digest of the search's code.
        checkpoint_root: Folder for checkpoints and scores; it outlives the run.
    """

    transform: TransformSettings
    model: ModelSettings
    training: TrainingSettings
    tuning: TuningSettings
    code_digest: str
    checkpoint_root: str

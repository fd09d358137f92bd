"""The settings of the Trainer, which cross TFX's `custom_config` as JSON. No TensorFlow is imported here."""

from imdb_core.modes import Mode
from imdb_core.settings import ModelSettings, Section, ServingSettings, TrainingSettings, TransformSettings


class Recipe(Section):
    """A training recipe, the same for both modes.

    Attributes:
        transform: Size of the vocabulary and length of a review.
        model: Settings of the network.
        training: Settings of the training.
    """

    transform: TransformSettings
    model: ModelSettings
    training: TrainingSettings


class FitSettings(Recipe):
    """Everything that a network's weights depend on, besides the examples.

    Attributes:
        mode: The attention mode.
        code_digest: Digest of the training code.
    """

    mode: Mode
    code_digest: str


class TrainerSettings(FitSettings):
    """The Trainer's `custom_config`, validated once by `run_fn`.

    Attributes:
        serving: Settings of the exported model; only those that are written into it.
        checkpoint_root: Folder for checkpoints; it outlives the run.
    """

    serving: ServingSettings
    checkpoint_root: str


def trainer_id(mode: Mode) -> str:
    """Returns the id of the node that trains a mode."""
    return f"Trainer.{mode}"

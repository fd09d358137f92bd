"""The settings of the Trainer, which cross TFX's `custom_config` as JSON. No TensorFlow is imported here."""

from typing import Final

from imdb_core.modes import Mode
from imdb_core.settings import ModelSettings, Section, ServingSettings, TrainingSettings, TransformSettings


class Recipe(Section):
    """A training recipe, the same for both modes."""

    transform: TransformSettings
    model: ModelSettings
    training: TrainingSettings


class FitSettings(Recipe):
    """Everything that a network's weights depend on besides the examples, including a digest of the training code."""

    mode: Mode
    code_digest: str


class TrainerSettings(FitSettings):
    """The Trainer's `custom_config`, validated once by `run_fn`."""

    # Only the settings that are written into the exported model.
    serving: ServingSettings
    # The folder for checkpoints outlives the run.
    checkpoint_root: str
    # Written into the exported model; see `imdb_core.provenance`.
    trained_on: str


TRAINER: Final = "Trainer"


def trainer_id(mode: Mode) -> str:
    """Returns the id of the node that trains a mode."""
    return f"{TRAINER}.{mode}"

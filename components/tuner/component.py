"""The Tuner node: TFX's own component, set up to search settings with `tuner_fn`."""

from typing import Final

from tfx.components import Tuner
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel

from components.trainer.settings import Recipe
from components.tuner.settings import TunerSettings
from imdb_core import features
from imdb_core.code_digest import code_digest
from imdb_core.settings import TuningSettings

TUNER: Final = "Tuner"

# A name, not an import: only the node that searches needs TensorFlow's training code.
_MODULE: Final = "components.tuner.tuner_fn"


def tuner_node(
    recipe: Recipe, tuning: TuningSettings, *, examples: BaseChannel, transform_graph: BaseChannel, checkpoint_root: str
) -> Tuner:
    """Builds the node that searches for better settings; its output is `best_hyperparameters`.

    Args:
        recipe: The current training recipe.
        tuning: Settings of the search.
        examples: Transformed examples. The search trains on `train` and scores on `eval`.
        transform_graph: The Transform graph.
        checkpoint_root: Folder for checkpoints and scores; it outlives the run.
    """
    settings = TunerSettings(
        **dict(recipe), tuning=tuning, code_digest=code_digest(_MODULE), checkpoint_root=checkpoint_root
    )
    return Tuner(
        tuner_fn=f"{_MODULE}.tuner_fn",
        examples=examples,
        transform_graph=transform_graph,
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.EVAL]),
        custom_config=settings.model_dump(mode="json", exclude={"training": {"tune"}}),
    ).with_id(TUNER)

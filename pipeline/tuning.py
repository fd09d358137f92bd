"""The Tuner as a node."""

from pathlib import Path
from typing import Any, Final

from tfx.components import Transform, Tuner
from tfx.proto import trainer_pb2

from components import reviews
from components.code_digest import code_digest
from pipeline.config import PipelineConfig

TUNER: Final = "Tuner"


def search_settings(config: PipelineConfig, transform: Transform, checkpoints: Path) -> Tuner:
    """Adds TFX's Tuner: what it finds is its output `best_hyperparameters`.

    Args:
        config: validated settings.
        transform: whose examples it trains and scores on; never `test`.
        checkpoints: of an interrupted search.
    """
    return Tuner(
        tuner_fn="components.tuning.tuner_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=[reviews.TRAIN]),
        eval_args=trainer_pb2.EvalArgs(splits=[reviews.EVAL]),
        custom_config={
            "model": config.model.model_dump(mode="json"),
            "training": fitting_settings(config),
            "transform": config.transform.model_dump(mode="json"),
            "tuning": config.tuning.model_dump(mode="json"),
            "code_digest": code_digest("components.tuning"),
            "checkpoint_root": str(checkpoints),
        },
    ).with_id(TUNER)


def fitting_settings(config: PipelineConfig) -> dict[str, Any]:
    """Dumps the section `training` without the switch of the Tuner, so that found and given values count the same."""
    return config.training.model_dump(mode="json", exclude={"tune"})

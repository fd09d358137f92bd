"""The Trainer node: TFX's own component, set up to train one attention mode with `run_fn`."""

from collections.abc import Sequence
from typing import Final

from tfx.components import Trainer
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel

from components.trainer.settings import Recipe, TrainerSettings, trainer_id
from imdb_core.code_digest import code_digest
from imdb_core.modes import Mode
from imdb_core.settings import ServingSettings

# A name, not an import: only the node that trains needs TensorFlow's training code.
_MODULE: Final = "components.trainer.run_fn"
# Only these settings are written into the model; the others must not cause a new training.
_EXPORTED: Final = {"model_name", "warmup_requests"}


def trainer_node(
    mode: Mode,
    recipe: Recipe,
    serving: ServingSettings,
    *,
    examples: BaseChannel,
    transform_graph: BaseChannel,
    splits: Sequence[str],
    checkpoint_root: str,
    trained_on: str,
    hyperparameters: BaseChannel | None = None,
) -> Trainer:
    """Builds the node that trains one attention mode and exports it.

    Args:
        mode: The attention mode.
        recipe: The training recipe.
        serving: The settings written into the model; the node ignores the others.
        examples: Transformed examples.
        transform_graph: The Transform graph.
        splits: The split to train on, and the split for early stopping if there is one.
        checkpoint_root: Folder for checkpoints; it outlives the run.
        trained_on: What the examples are; see `imdb_core.provenance`.
        hyperparameters: The Tuner's best values, which replace settings.
    """
    settings = TrainerSettings(
        **dict(recipe),
        mode=mode,
        serving=serving,
        code_digest=code_digest(_MODULE),
        checkpoint_root=checkpoint_root,
        trained_on=trained_on,
    )
    return Trainer(
        run_fn=f"{_MODULE}.run_fn",
        examples=examples,
        transform_graph=transform_graph,
        hyperparameters=hyperparameters,
        train_args=trainer_pb2.TrainArgs(splits=[splits[0]]),
        # TFX requires a split. Without one for early stopping it is the training split, which run_fn then ignores.
        eval_args=trainer_pb2.EvalArgs(splits=[splits[-1]]),
        custom_config=settings.model_dump(
            mode="json",
            # `tune` only switches the Tuner on: found values and given values are the same training.
            exclude={"training": {"tune"}, "serving": set(ServingSettings.model_fields) - _EXPORTED},
        ),
    ).with_id(trainer_id(mode))

"""The graph of a study: shared data, and for each seed both trained modes and their predictions."""

from collections.abc import Sequence
from typing import Final

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx.orchestration.pipeline import Pipeline

from components.trainer.settings import trainer_id
from imdb_core.modes import Mode
from pipeline.graph.nodes import assemble, predict_modes, prepare_data, train_modes
from pipeline.settings import PipelineConfig
from pipeline.workspace.places import Places

STUDY_NAME: Final = "imdb_attention_study"


def create_study(
    config: PipelineConfig, seeds: Sequence[int], places: Places, metadata_connection: ConnectionConfig
) -> Pipeline:
    """Builds the study's graph for one preset; any TFX runner can run it.

    The ids of nodes contain their seed, so that more seeds do not invalidate the cached results of the others.

    Args:
        config: Validated settings; each of `seeds` replaces `training.seed`.
        seeds: The seeds, all different.
        places: Absolute paths of the workspace.
        metadata_connection: Connection to the ML Metadata store.
    """
    data = prepare_data(config, places)
    nodes = [*data.nodes]
    for seed in seeds:
        seeded = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
        trainers = {
            mode: trainer.with_id(seed_trainer_id(mode, seed))
            for mode, trainer in train_modes(seeded, places, data).items()
        }
        of_scalar, of_both = predict_modes(data.examples, trainers)
        nodes += [*trainers.values(), of_scalar.with_id(f"Predictions.scalar.seed{seed}")]
        nodes.append(of_both.with_id(seed_predictions_id(seed)))
    return assemble(STUDY_NAME, nodes, config, places, metadata_connection)


def seed_trainer_id(mode: Mode, seed: int) -> str:
    """Returns the id of the node that trains a mode with a seed."""
    return f"{trainer_id(mode)}.seed{seed}"


def seed_predictions_id(seed: int) -> str:
    """Returns the id of the node that predicts with both modes of a seed."""
    return f"Predictions.seed{seed}"

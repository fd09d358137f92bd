"""The graph of a study: one ingest and Transform, both modes trained with each seed, and what they predict."""

from collections.abc import Sequence
from typing import Final

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline

from imdb_core import modes
from pipeline.graph.nodes import predict_modes, prepare_data, trainer
from pipeline.settings.config import PipelineConfig
from pipeline.workspace.places import Places

STUDY_NAME: Final = "imdb_attention_study"


def create_study(
    config: PipelineConfig,
    seeds: Sequence[int],
    places: Places,
    metadata_connection: metadata_store_pb2.ConnectionConfig,
) -> Pipeline:
    """Builds the graph of one preset.

    A node is named after its seed, so that more seeds leave the others' results where the cache finds them.

    Args:
        config: validated settings; each of `seeds` takes the place of `training.seed`.
        seeds: all different.
        places: absolute paths.
        metadata_connection: of the ML Metadata store.

    Returns:
        A pipeline that any TFX runner can run.
    """
    data = prepare_data(config, places)
    nodes = [*data.nodes]
    for seed in seeds:
        seeded = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
        trainers = {
            mode: trainer(seeded, places, data.transform, mode).with_id(trainer_node(mode, seed))
            for mode in modes.MODES
        }
        nodes += [*trainers.values(), predict_modes(data.examples, trainers, predictions_node(seed))]
    return Pipeline(
        pipeline_name=STUDY_NAME,
        pipeline_root=str(places.artifacts),
        components=nodes,
        enable_cache=True,
        metadata_connection_config=metadata_connection,
        beam_pipeline_args=list(config.beam.pipeline_args),
    )


def trainer_node(mode: modes.Mode, seed: int) -> str:
    """Names the node that trains a mode with a seed."""
    return f"Trainer.{mode}.seed{seed}"


def predictions_node(seed: int) -> str:
    """Names the node that asks both modes of a seed."""
    return f"Predictions.seed{seed}"

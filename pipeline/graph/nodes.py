"""The part that both graphs share, from reviews to trained modes and their predictions."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import tensorflow_data_validation as tfdv
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx.components import ExampleValidator, StatisticsGen, Trainer, Transform, Tuner
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline

from components.anomaly_gate.component import AnomalyGate
from components.example_gen.component import ImdbExampleGen
from components.example_gen.sources.locate import absolute_source
from components.example_gen.splits import fitting_splits
from components.predictions.component import Predictions
from components.trainer.component import trainer_node
from components.trainer.settings import Recipe
from components.transform.component import transform_node
from components.tuner.component import tuner_node
from imdb_core.code_digest import code_digest
from imdb_core.modes import MODES, SCALAR, VECTOR, Mode
from imdb_core.provenance import provenance
from pipeline.settings import PipelineConfig, changed_settings, flatten, toml_value
from pipeline.workspace.places import Places

# The sections of the settings on which the winner depends, beside `tuning` if there is a search.
_MAKING: Final = ("data", "transform", "model", "training", "evaluation")


class DataNodes(NamedTuple):
    """The nodes up to Transform; `nodes` lists all of them, including the others here.

    `examples` is the ImdbExampleGen. What trains waits for `gate`.
    """

    examples: BaseNode
    transform: Transform
    gate: BaseNode
    nodes: list[BaseNode]


def prepare_data(config: PipelineConfig, places: Places) -> DataNodes:
    """Builds the nodes that read, check and transform the reviews; an anomaly ends the run before it trains."""
    examples = ImdbExampleGen(
        # The nodes run in another folder than the one in which the source was named.
        data=config.data.model_copy(update={"source": absolute_source(config.data.source)}),
        code_digest=code_digest("components.example_gen.component"),
        cache_dir=str(places.cache),
    )
    statistics = StatisticsGen(
        examples=examples.outputs["examples"],
        # Halves the time; exact counts of about 50,000 distinct texts would add no information.
        stats_options=tfdv.StatsOptions(use_sketch_based_topk_uniques=True),
    )
    schema = ImportSchemaGen(schema_file=str(places.schema))
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    gate = AnomalyGate(
        anomalies=validator.outputs["anomalies"], code_digest=code_digest("components.anomaly_gate.component")
    )

    transform = transform_node(
        examples.outputs["examples"],
        schema.outputs["schema"],
        config.transform,
        # Exported models take raw reviews, so nothing reads a transformed copy of `test`.
        splits=fitting_splits(config.data.eval_fraction),
    )
    return DataNodes(examples, transform, gate, [examples, statistics, schema, validator, gate, transform])


def search_settings(config: PipelineConfig, places: Places, data: DataNodes) -> Tuner:
    """Builds the Tuner."""
    tuner = tuner_node(
        _recipe(config),
        config.tuning,
        examples=data.transform.outputs["transformed_examples"],
        transform_graph=data.transform.outputs["transform_graph"],
        checkpoint_root=str(places.checkpoints),
    )
    tuner.add_upstream_node(data.gate)
    return tuner


def train_modes(
    config: PipelineConfig, places: Places, data: DataNodes, tuner: Tuner | None = None
) -> dict[Mode, Trainer]:
    """Builds the Trainer of each mode. If there is a Tuner, its best values replace settings."""
    trainers = {
        mode: trainer_node(
            mode,
            _recipe(config),
            config.serving,
            examples=data.transform.outputs["transformed_examples"],
            transform_graph=data.transform.outputs["transform_graph"],
            splits=fitting_splits(config.data.eval_fraction),
            checkpoint_root=str(places.checkpoints),
            trained_on=provenance(config.data.source),
            hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        )
        for mode in MODES
    }
    for trainer in trainers.values():
        trainer.add_upstream_node(data.gate)
    return trainers


def predict_modes(examples: BaseNode, trainers: Mapping[Mode, Trainer]) -> tuple[BaseNode, BaseNode]:
    """Builds the nodes that predict the test reviews of `examples`, the ImdbExampleGen.

    Scalar takes less time to train, so a node of its own predicts with it while vector still trains.

    Returns:
        The node that predicts with scalar, and the one that writes the predictions of both modes.
    """
    reviews, digest = examples.outputs["examples"], code_digest("components.predictions.component")
    scalar, vector = trainers[SCALAR].outputs["model"], trainers[VECTOR].outputs["model"]
    of_scalar = Predictions(examples=reviews, candidate=scalar, code_digest=digest)
    of_both = Predictions(
        examples=reviews,
        candidate=vector,
        baseline=scalar,
        known_baseline=of_scalar.outputs["predictions"],
        code_digest=digest,
    )
    return of_scalar, of_both


def assemble(
    name: str, nodes: Sequence[BaseNode], config: PipelineConfig, places: Places, metadata_connection: ConnectionConfig
) -> Pipeline:
    """Builds a pipeline of nodes; `name` identifies it in ML Metadata."""
    return Pipeline(
        pipeline_name=name,
        pipeline_root=str(places.artifacts),
        components=list(nodes),
        enable_cache=True,
        metadata_connection_config=metadata_connection,
        beam_pipeline_args=list(config.beam.pipeline_args),
    )


def reproducing_settings(config: PipelineConfig) -> list[str]:
    """Returns the settings with which another run makes the same model, as `--set` takes them."""
    making = {*_MAKING, *(("tuning",) if config.training.tune else ())}
    changed = {key: value for key, value in changed_settings(flatten(config)).items() if key.split(".")[0] in making}
    return [f"preset={config.preset}", *(f"{key}={toml_value(value)}" for key, value in changed.items())]


def _recipe(config: PipelineConfig) -> Recipe:
    return Recipe(transform=config.transform, model=config.model, training=config.training)

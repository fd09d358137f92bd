"""The graph: settings in, a TFX pipeline out; wiring only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ml_metadata.proto import metadata_store_pb2
from tfx.components import Evaluator, ExampleValidator, StatisticsGen, Trainer, Transform
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import Channel, standard_artifacts

from components import evaluation, reviews
from components.anomaly_gate import AnomalyGate
from components.champion import LastBlessedChampion
from components.code_digest import code_digest
from components.ingest.component import ImdbExampleGen
from components.pusher import AtomicPusher
from components.selector import ModeSelector
from pipeline.config import PipelineConfig

PIPELINE_NAME: Final = "imdb_attention"
LAST_BLESSED: Final = "LastBlessedChampion"


@dataclass(frozen=True)
class Places:
    """Where a run finds and leaves things.

    Attributes:
        artifacts: the pipeline root.
        checkpoints: of interrupted training.
        cache: downloads.
        versions: the pushed versions of the model.
        schema: the schema file; another content must have another path, for TFX looks at the path alone.
    """

    artifacts: Path
    checkpoints: Path
    cache: Path
    versions: Path
    schema: Path


def create_pipeline(
    config: PipelineConfig, places: Places, metadata_connection: metadata_store_pb2.ConnectionConfig
) -> Pipeline:
    """Builds the pipeline of docs/design: text in, a pushed model out.

    Args:
        config: validated settings.
        places: absolute paths.
        metadata_connection: of the ML Metadata store.

    Returns:
        A pipeline that any TFX runner can run.
    """
    examples = ImdbExampleGen(
        data=config.data, code_digest=code_digest("components.ingest.component"), cache_dir=str(places.cache)
    )
    statistics = StatisticsGen(examples=examples.outputs["examples"])
    schema = ImportSchemaGen(schema_file=str(places.schema))
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    gate = AnomalyGate(anomalies=validator.outputs["anomalies"], code_digest=code_digest("components.anomaly_gate"))

    transform = Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="components.preprocessing.preprocessing_fn",
        # The Evaluators send raw reviews through the models' own graph, so `test` needs no transformed copy.
        splits_config=transform_pb2.SplitsConfig(analyze=[reviews.TRAIN], transform=_fitting_splits(config)),
        custom_config={
            "transform": config.transform.model_dump(mode="json"),
            "code_digest": code_digest("components.preprocessing"),
        },
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    transform.add_upstream_node(gate)
    trainers = {mode: _trainer(config, places, transform, mode) for mode in reviews.MODES}

    modes = Evaluator(
        examples=examples.outputs["examples"],
        model=trainers[reviews.VECTOR].outputs["model"],
        baseline_model=trainers[reviews.SCALAR].outputs["model"],
        eval_config=evaluation.modes_config(config.evaluation),
        example_splits=[reviews.TEST],
    ).with_id("Evaluator.modes")
    selector = ModeSelector(
        evaluation_result=modes.outputs["evaluation"],
        scalar=trainers[reviews.SCALAR].outputs["model"],
        vector=trainers[reviews.VECTOR].outputs["model"],
        confidence=config.evaluation.confidence,
        code_digest=code_digest("components.selector"),
    )
    last_blessed = Resolver(
        strategy_class=LastBlessedChampion,
        candidate=selector.outputs["model"],
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(LAST_BLESSED)
    champion = Evaluator(
        examples=examples.outputs["examples"],
        model=selector.outputs["model"],
        baseline_model=last_blessed.outputs["model"],
        eval_config=evaluation.champion_config(config.evaluation),
        example_splits=[reviews.TEST],
    ).with_id("Evaluator.champion")
    pusher = AtomicPusher(
        model=selector.outputs["model"],
        model_blessing=champion.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(places.versions))
        ),
    ).with_id("Pusher")

    nodes: list[BaseNode] = [examples, statistics, schema, validator, gate, transform, *trainers.values()]
    nodes += [modes, selector, last_blessed, champion, pusher]
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=str(places.artifacts),
        components=nodes,
        enable_cache=True,
        metadata_connection_config=metadata_connection,
        beam_pipeline_args=list(config.beam.pipeline_args),
    )


def _trainer(config: PipelineConfig, places: Places, transform: Transform, mode: reviews.Mode) -> Trainer:
    custom_config: Mapping[str, Any] = {
        "mode": mode,
        "model": config.model.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json"),
        "transform": config.transform.model_dump(mode="json"),
        "serving": config.serving.model_dump(mode="json"),
        "code_digest": code_digest("components.training"),
        "checkpoint_root": str(places.checkpoints),
    }
    return Trainer(
        run_fn="components.training.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=[reviews.TRAIN]),
        # Without an eval split run_fn ignores what stands here; TFX insists on some split.
        eval_args=trainer_pb2.EvalArgs(splits=[_fitting_splits(config)[-1]]),
        custom_config=custom_config,
    ).with_id(f"Trainer.{mode}")


def _fitting_splits(config: PipelineConfig) -> list[str]:
    return [reviews.TRAIN, reviews.EVAL] if config.data.eval_fraction else [reviews.TRAIN]

"""The graph: settings in, a TFX pipeline out; wiring only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tfx.components import Evaluator, ExampleValidator, InfraValidator, StatisticsGen, Trainer, Transform, Tuner
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import infra_validator_pb2, pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import Channel, standard_artifacts

from components import evaluation, reviews
from components.anomaly_gate import AnomalyGate
from components.champion import LastBlessedChampion
from components.code_digest import code_digest
from components.ingest.component import ImdbExampleGen
from components.predictions import Predictions
from components.pusher import AtomicPusher
from components.selector import ModeSelector
from components.serving_check import ServingCheck
from pipeline.config import PipelineConfig
from pipeline.tuning import fitting_settings, search_settings

PIPELINE_NAME: Final = "imdb_attention"
LAST_BLESSED: Final = "LastBlessedChampion"
SERVING_CHECK: Final = "ServingCheck"

# The real server that the embedded one stands for.
TENSORFLOW_SERVING: Final = "2.16.1"


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
    statistics = StatisticsGen(
        examples=examples.outputs["examples"],
        # Half the time: exact counts of some 50,000 distinct texts would say no more.
        stats_options=tfdv.StatsOptions(use_sketch_based_topk_uniques=True),
    )
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
    tuner = search_settings(config, transform, places.checkpoints) if config.training.tune else None
    trainers = {mode: _trainer(config, places, transform, mode, tuner) for mode in reviews.MODES}

    modes_predictions = Predictions(
        examples=examples.outputs["examples"],
        candidate=trainers[reviews.VECTOR].outputs["model"],
        baseline=trainers[reviews.SCALAR].outputs["model"],
        code_digest=code_digest("components.predictions"),
    ).with_id("Predictions.modes")
    modes = Evaluator(
        examples=modes_predictions.outputs["predictions"],
        model=trainers[reviews.VECTOR].outputs["model"],
        baseline_model=trainers[reviews.SCALAR].outputs["model"],
        eval_config=evaluation.modes_config(config.evaluation),
        module_path=evaluation.EXTRACTORS,
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
    champion_predictions = Predictions(
        examples=examples.outputs["examples"],
        candidate=selector.outputs["model"],
        baseline=last_blessed.outputs["model"],
        known=modes_predictions.outputs["predictions"],
        code_digest=code_digest("components.predictions"),
    ).with_id("Predictions.champion")
    champion = Evaluator(
        examples=champion_predictions.outputs["predictions"],
        model=selector.outputs["model"],
        baseline_model=last_blessed.outputs["model"],
        eval_config=evaluation.champion_config(config.evaluation),
        module_path=evaluation.EXTRACTORS,
        example_splits=[reviews.TEST],
    ).with_id("Evaluator.champion")
    check = _serving_check(config, examples, transform, selector)
    check.add_upstream_node(champion)
    pusher = AtomicPusher(
        model=selector.outputs["model"],
        model_blessing=champion.outputs["blessing"],
        infra_blessing=check.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(places.versions))
        ),
    ).with_id("Pusher")

    nodes: list[BaseNode] = [examples, statistics, schema, validator, gate, transform]
    nodes += [*([tuner] if tuner else []), *trainers.values()]
    nodes += [modes_predictions, modes, selector, last_blessed, champion_predictions, champion, check, pusher]
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=str(places.artifacts),
        components=nodes,
        enable_cache=True,
        metadata_connection_config=metadata_connection,
        beam_pipeline_args=list(config.beam.pipeline_args),
    )


def _trainer(
    config: PipelineConfig, places: Places, transform: Transform, mode: reviews.Mode, tuner: Tuner | None
) -> Trainer:
    custom_config: Mapping[str, Any] = {
        "mode": mode,
        "model": config.model.model_dump(mode="json"),
        "training": fitting_settings(config),
        "transform": config.transform.model_dump(mode="json"),
        # Only what is written into the model, so that a check's settings retrain nothing.
        "serving": config.serving.model_dump(mode="json", include={"model_name", "warmup_requests"}),
        "code_digest": code_digest("components.training"),
        "checkpoint_root": str(places.checkpoints),
    }
    return Trainer(
        run_fn="components.training.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        train_args=trainer_pb2.TrainArgs(splits=[reviews.TRAIN]),
        # Without an eval split run_fn ignores what stands here; TFX insists on some split.
        eval_args=trainer_pb2.EvalArgs(splits=[_fitting_splits(config)[-1]]),
        custom_config=custom_config,
    ).with_id(f"Trainer.{mode}")


def _serving_check(
    config: PipelineConfig, examples: BaseNode, transform: Transform, selector: BaseNode
) -> BaseComponent:
    settings = config.serving
    if settings.check == "infra_validator":
        return InfraValidator(
            model=selector.outputs["model"],
            examples=examples.outputs["examples"],
            serving_spec=infra_validator_pb2.ServingSpec(
                model_name=settings.model_name,
                tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=[TENSORFLOW_SERVING]),
                local_docker=infra_validator_pb2.LocalDockerConfig(),
            ),
            request_spec=infra_validator_pb2.RequestSpec(
                tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(
                    signature_names=[reviews.SERVING_DEFAULT]
                ),
                split_name=reviews.TEST,
                num_examples=settings.check_reviews,
            ),
            validation_spec=infra_validator_pb2.ValidationSpec(max_loading_time_seconds=round(settings.check_timeout)),
        ).with_id(SERVING_CHECK)
    return ServingCheck(
        model=selector.outputs["model"],
        examples=examples.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        serving=settings.model_dump_json(),
        code_digest=code_digest("components.serving_check", "serving.server.__main__"),
    ).with_id(SERVING_CHECK)


def _fitting_splits(config: PipelineConfig) -> list[str]:
    return [reviews.TRAIN, reviews.EVAL] if config.data.eval_fraction else [reviews.TRAIN]

"""The graph: settings in, a TFX pipeline out; wiring only."""

from typing import Final

from ml_metadata.proto import metadata_store_pb2
from tfx.components import Evaluator, InfraValidator, Transform
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import infra_validator_pb2, pusher_pb2
from tfx.types import Channel, standard_artifacts

from components import evaluation, reviews
from components.champion import LastBlessedChampion
from components.code_digest import code_digest
from components.explainer import Explainer
from components.predictions import Predictions
from components.pusher import AtomicPusher
from components.selector import ModeSelector
from components.serving_check import ServingCheck
from pipeline.config import PipelineConfig
from pipeline.places import Places
from pipeline.run_folder import PIPELINE_NAME
from pipeline.training_graph import predict_modes, prepare_data, trainer
from pipeline.tuning import search_settings

LAST_BLESSED: Final = "LastBlessedChampion"
SERVING_CHECK: Final = "ServingCheck"

# The real server that the embedded one stands for.
TENSORFLOW_SERVING: Final = "2.16.1"


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
    data = prepare_data(config, places)
    tuner = search_settings(config, data.transform, places.checkpoints) if config.training.tune else None
    trainers = {mode: trainer(config, places, data.transform, mode, tuner) for mode in reviews.MODES}
    modes_predictions = predict_modes(data.examples, trainers, "Predictions.modes")
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
        examples=data.examples.outputs["examples"],
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
    check = _serving_check(config, data.examples, data.transform, selector)
    check.add_upstream_node(champion)
    pusher = AtomicPusher(
        model=selector.outputs["model"],
        model_blessing=champion.outputs["blessing"],
        infra_blessing=check.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(places.versions))
        ),
    ).with_id("Pusher")
    explainer = Explainer(
        examples=data.examples.outputs["examples"],
        predictions=modes_predictions.outputs["predictions"],
        scalar=trainers[reviews.SCALAR].outputs["model"],
        vector=trainers[reviews.VECTOR].outputs["model"],
        transform_graph=data.transform.outputs["transform_graph"],
        padding_masked=int(config.model.mask),
        report=config.report.model_dump_json(),
        code_digest=code_digest("components.explainer"),
    )
    # It is for people, so neither its time nor its failure may keep a model from being pushed.
    explainer.add_upstream_node(pusher)

    nodes: list[BaseNode] = [*data.nodes, *([tuner] if tuner else []), *trainers.values()]
    nodes += [
        modes_predictions,
        modes,
        selector,
        last_blessed,
        champion_predictions,
        champion,
        check,
        pusher,
        explainer,
    ]
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=str(places.artifacts),
        components=nodes,
        enable_cache=True,
        metadata_connection_config=metadata_connection,
        beam_pipeline_args=list(config.beam.pipeline_args),
    )


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

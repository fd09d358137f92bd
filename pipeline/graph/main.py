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

from components.champion.component import LastBlessedChampion
from components.evaluator import eval_config
from components.explainer.component import Explainer
from components.mode_selector.component import ModeSelector
from components.predictions.component import Predictions
from components.pusher.component import AtomicPusher
from components.serving_check.component import ServingCheck
from imdb_core import features, signatures
from imdb_core.code_digest import code_digest
from imdb_core.file_names import PIPELINE_NAME
from imdb_core.modes import MODES, SCALAR, VECTOR
from pipeline.graph.nodes import predict_modes, prepare_data, search_settings, trainer
from pipeline.settings.config import PipelineConfig
from pipeline.workspace.places import Places

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
    trainers = {mode: trainer(config, places, data.transform, mode, tuner) for mode in MODES}
    modes_predictions = predict_modes(data.examples, trainers, "Predictions.modes")
    modes = Evaluator(
        examples=modes_predictions.outputs["predictions"],
        model=trainers[VECTOR].outputs["model"],
        baseline_model=trainers[SCALAR].outputs["model"],
        eval_config=eval_config.modes_config(config.evaluation),
        module_path=eval_config.EXTRACTORS,
        example_splits=[features.TEST],
    ).with_id("Evaluator.modes")
    selector = ModeSelector(
        evaluation_result=modes.outputs["evaluation"],
        scalar=trainers[SCALAR].outputs["model"],
        vector=trainers[VECTOR].outputs["model"],
        confidence=config.evaluation.confidence,
        code_digest=code_digest("components.mode_selector.component"),
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
        code_digest=code_digest("components.predictions.component"),
    ).with_id("Predictions.champion")
    champion = Evaluator(
        examples=champion_predictions.outputs["predictions"],
        model=selector.outputs["model"],
        baseline_model=last_blessed.outputs["model"],
        eval_config=eval_config.champion_config(config.evaluation),
        module_path=eval_config.EXTRACTORS,
        example_splits=[features.TEST],
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
        scalar=trainers[SCALAR].outputs["model"],
        vector=trainers[VECTOR].outputs["model"],
        transform_graph=data.transform.outputs["transform_graph"],
        padding_masked=int(config.model.mask),
        report=config.report.model_dump_json(),
        code_digest=code_digest("components.explainer.component"),
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
                    signature_names=[signatures.SERVING_DEFAULT]
                ),
                split_name=features.TEST,
                num_examples=settings.check_reviews,
            ),
            validation_spec=infra_validator_pb2.ValidationSpec(max_loading_time_seconds=round(settings.check_timeout)),
        ).with_id(SERVING_CHECK)
    return ServingCheck(
        model=selector.outputs["model"],
        examples=examples.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        serving=settings.model_dump_json(),
        code_digest=code_digest("components.serving_check.component", "serving.server.__main__"),
    ).with_id(SERVING_CHECK)

"""The graph of the pipeline, from reviews to a pushed model. It only connects nodes."""

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx.orchestration.pipeline import Pipeline

from components.champion.component import last_blessed_champion_node
from components.evaluator.component import champion_evaluator_node, modes_evaluator_node
from components.explainer.component import Explainer
from components.mode_selector.component import ModeSelector
from components.predictions.component import Predictions
from components.pusher.component import pusher_node
from components.serving_check.component import serving_check_node
from imdb_core.code_digest import code_digest
from imdb_core.modes import SCALAR, VECTOR
from pipeline.graph.nodes import (
    assemble,
    predict_modes,
    prepare_data,
    reproducing_settings,
    search_settings,
    train_modes,
)
from pipeline.settings import PipelineConfig
from pipeline.workspace.places import Places
from pipeline.workspace.run_names import PIPELINE_NAME


def create_pipeline(config: PipelineConfig, places: Places, metadata_connection: ConnectionConfig) -> Pipeline:
    """Builds the pipeline that docs/architecture.md describes; any TFX runner can run it.

    Args:
        config: Validated settings.
        places: Absolute paths of the workspace.
        metadata_connection: Connection to the ML Metadata store.
    """
    data = prepare_data(config, places)
    reviews, transform_graph = data.examples.outputs["examples"], data.transform.outputs["transform_graph"]
    tuner = search_settings(config, places, data) if config.training.tune else None
    trainers = train_modes(config, places, data, tuner)
    scalar, vector = trainers[SCALAR].outputs["model"], trainers[VECTOR].outputs["model"]
    of_scalar, of_both = predict_modes(data.examples, trainers)
    of_scalar, of_both = of_scalar.with_id("Predictions.scalar"), of_both.with_id("Predictions.modes")
    predictions = of_both.outputs["predictions"]
    modes = modes_evaluator_node(predictions, vector=vector, scalar=scalar, settings=config.evaluation)
    selector = ModeSelector(
        evaluation_result=modes.outputs["evaluation"],
        scalar=scalar,
        vector=vector,
        confidence=config.evaluation.confidence,
        code_digest=code_digest("components.mode_selector.component"),
    )
    winner = selector.outputs["model"]

    last_blessed = last_blessed_champion_node(winner)
    champion_predictions = Predictions(
        examples=reviews,
        candidate=winner,
        baseline=last_blessed.outputs["model"],
        known=predictions,
        code_digest=code_digest("components.predictions.component"),
    ).with_id("Predictions.champion")
    champion = champion_evaluator_node(
        champion_predictions.outputs["predictions"],
        candidate=winner,
        champion=last_blessed.outputs["model"],
        settings=config.evaluation,
    )
    check = serving_check_node(winner, reviews, transform_graph, config.serving)
    pusher = pusher_node(
        winner,
        model_blessing=champion.outputs["blessing"],
        infra_blessing=check.outputs["blessing"],
        examples=reviews,
        predictions=predictions,
        versions=places.versions,
        card=config.card,
        assignments=reproducing_settings(config),
    )
    explainer = Explainer(
        examples=reviews,
        predictions=predictions,
        scalar=scalar,
        vector=vector,
        transform_graph=transform_graph,
        report=config.report.model_dump_json(),
        code_digest=code_digest("components.explainer.component"),
    )

    nodes = [*data.nodes, *([tuner] if tuner else []), *trainers.values(), of_scalar, of_both, modes, selector]
    nodes += [last_blessed, champion_predictions, champion, check, pusher, explainer]
    return assemble(PIPELINE_NAME, nodes, config, places, metadata_connection)

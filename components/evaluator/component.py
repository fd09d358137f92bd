"""Builds TFX's two Evaluators, which read what `Predictions` wrote and run no model."""

from tensorflow_model_analysis.proto import config_pb2
from tfx.components import Evaluator
from tfx.types import BaseChannel

from components.evaluator import eval_config
from imdb_core import features
from imdb_core.settings import EvaluationSettings


def modes_evaluator_node(
    predictions: BaseChannel, vector: BaseChannel, scalar: BaseChannel, settings: EvaluationSettings
) -> Evaluator:
    """Builds node `Evaluator.modes`, which compares the modes by their predictions."""
    return _evaluator("Evaluator.modes", predictions, vector, scalar, eval_config.modes_config(settings))


def champion_evaluator_node(
    predictions: BaseChannel, candidate: BaseChannel, champion: BaseChannel, settings: EvaluationSettings
) -> Evaluator:
    """Builds node `Evaluator.champion`, which compares the winner with the last blessed model, if there is one."""
    return _evaluator("Evaluator.champion", predictions, candidate, champion, eval_config.champion_config(settings))


def _evaluator(
    node: str, predictions: BaseChannel, candidate: BaseChannel, baseline: BaseChannel, config: config_pb2.EvalConfig
) -> Evaluator:
    return Evaluator(
        examples=predictions,
        model=candidate,
        baseline_model=baseline,
        eval_config=config,
        module_path=eval_config.EXTRACTORS,
        example_splits=[features.TEST],
    ).with_id(node)

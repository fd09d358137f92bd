"""ModeSelector: one Model artifact out of two, on the evidence of the Evaluator."""

import json
import math
import os
from typing import Final

import tensorflow as tf
import tensorflow_model_analysis as tfma
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components import metrics, reviews
from components.comparison import ROLES, SELECTED_MODE
from components.paired import PairedOutcomes, choose

SELECTION_FILE: Final = "selection.json"


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def ModeSelector(  # noqa: N802, PLR0917 - nodes are named like classes; TFX passes all by keyword
    evaluation_result: InputArtifact[standard_artifacts.ModelEvaluation],
    scalar: InputArtifact[standard_artifacts.Model],
    vector: InputArtifact[standard_artifacts.Model],
    model: OutputArtifact[standard_artifacts.Model],
    confidence: Parameter[float],
    code_digest: Parameter[str],
) -> None:
    """Copies the winner, and writes `selection.json` beside it: the reason, the statistics, both modes' metrics.

    Args:
        evaluation_result: of vector as candidate against scalar as baseline.
        scalar: the model of that mode.
        vector: likewise.
        model: the winner.
        confidence: at which the modes count as different.
        code_digest: makes a change of this code a new execution.
    """
    del code_digest
    models = {reviews.SCALAR: scalar, reviews.VECTOR: vector}
    measured = {mode: overall_metrics(evaluation_result.uri, role) for mode, role in ROLES.items()}
    outcomes = PairedOutcomes(
        *(
            round(measured[reviews.VECTOR][name])
            for name in (
                metrics.BOTH_RIGHT,
                metrics.ONLY_BASELINE_RIGHT,
                metrics.ONLY_CANDIDATE_RIGHT,
                metrics.BOTH_WRONG,
            )
        )
    )
    parameters = {mode: count_parameters(_saved_model(artifact)) for mode, artifact in models.items()}
    choice = choose(outcomes, reviews.SCALAR, reviews.VECTOR, parameters, confidence)

    io_utils.copy_dir(_saved_model(models[choice.winner]), path_utils.serving_model_dir(model.uri))
    io_utils.copy_file(
        os.path.join(models[choice.winner].uri, reviews.TRAINED_MODEL),
        os.path.join(model.uri, reviews.TRAINED_MODEL),
        overwrite=True,
    )
    low, high = outcomes.interval(confidence)
    selection = {
        "winner": choice.winner,
        "significant": choice.significant,
        "reason": choice.reason,
        "confidence": confidence,
        "accuracy_difference": outcomes.accuracy_difference,
        "interval": [low, high],
        "mcnemar_p": outcomes.mcnemar_p(),
        "flip_rate": outcomes.flip_rate,
        "reviews_needed": outcomes.reviews_needed(confidence),
        "smallest_detectable_difference": outcomes.smallest_detectable_difference(confidence),
        "parameters": parameters,
        "metrics": {mode: {name: values[name] for name in metrics.SINGLE_MODEL} for mode, values in measured.items()},
    }
    with fileio.open(os.path.join(model.uri, SELECTION_FILE), "w") as file:
        file.write(json.dumps(selection, indent=2))
    model.set_string_custom_property(SELECTED_MODE, choice.winner)
    model.set_string_custom_property("reason", choice.reason)


def overall_metrics(evaluation_uri: str, model_name: str) -> dict[str, float]:
    """Reads what an Evaluator measured over all reviews.

    Args:
        evaluation_uri: of its ModelEvaluation artifact.
        model_name: `candidate` or `baseline`.

    Returns:
        Value by metric name. Where a paired metric and a difference share a name, the candidate's own value wins.
    """
    result: dict[str, float] = {}
    for record in tfma.load_metrics(evaluation_uri):
        if record.slice_key.single_slice_keys:
            continue
        for entry in record.metric_keys_and_values:
            if entry.key.model_name in (model_name, "") and not (entry.key.is_diff and entry.key.name in result):
                result[entry.key.name] = entry.value.double_value.value
    return result


def count_parameters(saved_model: str) -> int:
    """Counts the weights in a SavedModel: its floating-point variables, so not the state of its random generators.

    Args:
        saved_model: its folder.
    """
    checkpoint = tf.train.load_checkpoint(os.path.join(saved_model, "variables", "variables"))
    types = checkpoint.get_variable_to_dtype_map()
    shapes = checkpoint.get_variable_to_shape_map()
    return sum(math.prod(shape) for name, shape in shapes.items() if types[name].is_floating)


def _saved_model(artifact: standard_artifacts.Model) -> str:
    return str(path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact)))

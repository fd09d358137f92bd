"""ModeSelector: selects one of the two modes' models by what the Evaluator measured."""

import json
import math
import os

import tensorflow as tf
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components.artifacts import REASON, saved_model_folder, trained_model_file
from components.evaluator import metrics
from components.evaluator.results import overall_metrics
from components.mode_selector.choice import choose
from imdb_core import modes
from imdb_core.file_names import SELECTION_FILE
from imdb_core.modes import ROLES, SELECTED_MODE
from imdb_core.stats.paired import PairedOutcomes


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def ModeSelector(
    evaluation_result: InputArtifact[standard_artifacts.ModelEvaluation],
    scalar: InputArtifact[standard_artifacts.Model],
    vector: InputArtifact[standard_artifacts.Model],
    model: OutputArtifact[standard_artifacts.Model],
    confidence: Parameter[float],
    code_digest: Parameter[str],
) -> None:
    """Copies the winner, and writes its reason, the statistics and both modes' metrics to `selection.json` beside it.

    `evaluation_result` has mode vector as candidate and mode scalar as baseline. `confidence` is that at which the
    modes count as different. A change of `code_digest` makes a new execution.
    """
    del code_digest
    models = {modes.SCALAR: scalar, modes.VECTOR: vector}
    measured = {mode: overall_metrics(evaluation_result.uri, role) for mode, role in ROLES.items()}
    names = (metrics.BOTH_RIGHT, metrics.ONLY_BASELINE_RIGHT, metrics.ONLY_CANDIDATE_RIGHT, metrics.BOTH_WRONG)
    outcomes = PairedOutcomes(*(round(measured[modes.VECTOR][name]) for name in names))
    parameters = {mode: count_parameters(saved_model_folder(artifact)) for mode, artifact in models.items()}
    choice = choose(outcomes, modes.SCALAR, modes.VECTOR, parameters, confidence)

    winner = models[choice.winner]
    io_utils.copy_dir(saved_model_folder(winner), path_utils.serving_model_dir(model.uri))
    io_utils.copy_file(trained_model_file(winner), trained_model_file(model), overwrite=True)
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
    model.set_string_custom_property(REASON, choice.reason)


def count_parameters(saved_model: str) -> int:
    """Counts the weights in a SavedModel's folder: the floating-point variables, not the state of random generators."""
    checkpoint = tf.train.load_checkpoint(os.path.join(saved_model, "variables", "variables"))
    types = checkpoint.get_variable_to_dtype_map()
    shapes = checkpoint.get_variable_to_shape_map()
    return sum(math.prod(shape) for name, shape in shapes.items() if types[name].is_floating)

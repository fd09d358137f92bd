"""Predictions: what each model says of the test reviews, so that no model is run twice on the same data."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tfx.components.util import examples_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.predictions.answers import reading, running, write_predictions
from imdb_core.features import TEST
from imdb_core.modes import BASELINE, CANDIDATE, ROLES, SELECTED_MODE
from serving.runtime.cpp_loader import CppSavedModel


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def Predictions(
    examples: InputArtifact[standard_artifacts.Examples],
    candidate: InputArtifact[standard_artifacts.Model],
    predictions: OutputArtifact[standard_artifacts.Examples],
    code_digest: Parameter[str],
    baseline: InputArtifact[standard_artifacts.Model] = None,
    known: InputArtifact[standard_artifacts.Examples] = None,
) -> None:
    """Writes the test reviews with probabilities instead of texts: float32 features `candidate` and `baseline`, `[2]`.

    Args:
        examples: with split `test`.
        candidate: a model.
        predictions: Examples with split `test` alone; files and order are those of `examples`.
        code_digest: makes a change of this code a new execution.
        baseline: the model to compare with, if there is one.
        known: predictions of the two modes; then the candidate is the winner of these, and is not run again.

    Raises:
        RunError: a model cannot be run, or says what is no probability.
    """
    del code_digest
    to_run = {CANDIDATE: candidate if known is None else None, BASELINE: baseline}
    with ExitStack() as sessions:
        loaded = {
            role: sessions.enter_context(CppSavedModel(_saved_model(model)))
            for role, model in to_run.items()
            if model is not None
        }
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            columns = {role: running(model, pool) for role, model in loaded.items()}
            if known is not None:
                role = ROLES[candidate.get_string_custom_property(SELECTED_MODE)]
                columns[CANDIDATE] = reading(artifact_utils.get_split_uri([known], TEST), role)
            predictions.split_names = artifact_utils.encode_split_names([TEST])
            examples_utils.set_payload_format(predictions, example_gen_pb2.FORMAT_TF_EXAMPLE)
            examples_utils.set_file_format(predictions, "tfrecords_gzip")
            write_predictions(
                artifact_utils.get_split_uri([examples], TEST),
                artifact_utils.get_split_uri([predictions], TEST),
                columns,
            )


def _saved_model(artifact: standard_artifacts.Model) -> str:
    return str(path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact)))

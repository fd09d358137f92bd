"""Explainer: what both modes attend to in the test reviews, and whether it matters; no node waits for it."""

import json
import os

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.explainer.artifact import Explanations
from components.explainer.explain import ModelFiles, explain_reviews
from components.explainer.reading import read_scored_reviews
from imdb_core import features, file_names, modes
from imdb_core.file_names import EXPLANATIONS_FILE
from imdb_core.settings import ReportSettings


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def Explainer(
    examples: InputArtifact[standard_artifacts.Examples],
    predictions: InputArtifact[standard_artifacts.Examples],
    scalar: InputArtifact[standard_artifacts.Model],
    vector: InputArtifact[standard_artifacts.Model],
    transform_graph: InputArtifact[standard_artifacts.TransformGraph],
    explanations: OutputArtifact[Explanations],
    padding_masked: Parameter[int],
    report: Parameter[str],
    code_digest: Parameter[str],
) -> None:
    """Writes `explanations.json`.

    Args:
        examples: with split `test`.
        predictions: of both modes on that split.
        scalar: the model of that mode, with the Keras model that it was exported from.
        vector: likewise.
        transform_graph: that both were trained on.
        explanations: a folder for the file.
        padding_masked: 1 where the models mask padding, 0 where it counts like any other token.
        report: `ReportSettings` as JSON.
        code_digest: makes a change of this code a new execution.

    Raises:
        RunError: a model cannot be run, or the predictions are of other reviews.
    """
    del code_digest
    document = explain_reviews(
        read_scored_reviews(
            artifact_utils.get_split_uri([examples], features.TEST),
            artifact_utils.get_split_uri([predictions], features.TEST),
        ),
        {modes.SCALAR: _files(scalar), modes.VECTOR: _files(vector)},
        transform_graph.uri,
        ReportSettings.model_validate_json(report),
        padding_masked=bool(padding_masked),
    )
    with fileio.open(os.path.join(explanations.uri, EXPLANATIONS_FILE), "w") as file:
        # Floats that JSON does not know would make it unreadable to every browser.
        file.write(json.dumps(document, ensure_ascii=True, allow_nan=False) + "\n")


def _files(artifact: standard_artifacts.Model) -> ModelFiles:
    return ModelFiles(
        saved_model=path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact)),
        trained_model=os.path.join(artifact.uri, file_names.TRAINED_MODEL),
    )

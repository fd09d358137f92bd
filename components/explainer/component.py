"""Explainer: measures what both modes attend to in the test reviews, and whether it matters."""

import json
import os

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import Artifact, standard_artifacts
from tfx.utils import io_utils

from components.explainer.explain import explain_reviews
from components.explainer.reading import read_scored_reviews
from imdb_core.file_names import EXPLANATIONS_FILE
from imdb_core.modes import SCALAR, VECTOR
from imdb_core.settings import ReportSettings


class Explanations(Artifact):  # type: ignore[misc]  # TFX ships no types
    """A folder with `explanations.json`; docs/adr/0014-explainer.md describes its content."""

    TYPE_NAME = "Explanations"


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def Explainer(
    examples: InputArtifact[standard_artifacts.Examples],
    predictions: InputArtifact[standard_artifacts.Examples],
    scalar: InputArtifact[standard_artifacts.Model],
    vector: InputArtifact[standard_artifacts.Model],
    transform_graph: InputArtifact[standard_artifacts.TransformGraph],
    explanations: OutputArtifact[Explanations],
    report: Parameter[str],
    code_digest: Parameter[str],
) -> None:
    """Writes `explanations.json`.

    Args:
        examples: Examples with split `test`.
        predictions: Both modes' predictions of that split.
        scalar: The model of mode scalar, with the Keras model that it was exported from.
        vector: The model of mode vector, with its Keras model.
        transform_graph: The Transform graph that both were trained on.
        explanations: The folder for the file.
        report: `ReportSettings` as JSON.
        code_digest: Digest of this code. A change of the code makes a new execution.

    Raises:
        RunError: A model cannot be run, or the predictions are of other reviews.
    """
    del code_digest
    document = explain_reviews(
        read_scored_reviews(examples, predictions),
        {SCALAR: scalar, VECTOR: vector},
        transform_graph.uri,
        ReportSettings.model_validate_json(report),
    )
    # NaN and infinity are not JSON: no browser could read the file.
    text = json.dumps(document, ensure_ascii=True, allow_nan=False) + "\n"
    io_utils.write_string_file(os.path.join(explanations.uri, EXPLANATIONS_FILE), text)

"""Predictions: runs the models on the test reviews once, for all nodes that need their probabilities."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.artifacts import declare_splits, saved_model_folder, split_folder
from components.predictions.writing import predicted_by, write_predictions, written_before
from imdb_core.cores import usable_cores
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
    known_baseline: InputArtifact[standard_artifacts.Examples] = None,
) -> None:
    """Writes the test reviews with probabilities in place of texts: float32 features `candidate` and `baseline`, `[2]`.

    Args:
        examples: Examples with split `test`.
        candidate: A model.
        predictions: Examples with split `test` alone, in the files and the order of `examples`.
        code_digest: Digest of this code. A change of the code makes a new execution.
        baseline: The model to compare with, if there is one.
        known: Predictions of the two modes. With them, the candidate is one of these modes and is not run again.
        known_baseline: Predictions of another such node whose candidate is the baseline, which is then not run again.

    Raises:
        RunError: A model cannot be run, or its outputs are not probabilities.
    """
    del code_digest
    to_run = {
        CANDIDATE: candidate if known is None else None,
        BASELINE: baseline if known_baseline is None else None,
    }
    with ExitStack() as sessions:
        loaded = {
            role: sessions.enter_context(CppSavedModel(saved_model_folder(model)))
            for role, model in to_run.items()
            if model is not None
        }
        with ThreadPoolExecutor(usable_cores()) as pool:
            columns = {role: predicted_by(model, pool) for role, model in loaded.items()}
            if known is not None:
                role = ROLES[candidate.get_string_custom_property(SELECTED_MODE)]
                columns[CANDIDATE] = written_before(split_folder(known, TEST), role)
            if known_baseline is not None:
                columns[BASELINE] = written_before(split_folder(known_baseline, TEST), CANDIDATE)
            declare_splits(predictions, [TEST])
            write_predictions(split_folder(examples, TEST), split_folder(predictions, TEST), columns)

"""ServingCheck: the last node before the Pusher, where TFX's InfraValidator would need Docker."""

import json
import os
from itertools import islice
from typing import Final

import tensorflow as tf
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils, path_utils

from components.serving_check import check
from imdb_core import features, file_names
from imdb_core.file_names import OUTCOME_FILE
from imdb_core.records import read_records
from imdb_core.settings import ServingSettings

REASON: Final = "reason"

# TFX's names; the Pusher looks for them.
_BLESSED_FILE: Final = "INFRA_BLESSED"

_NOT_BLESSED_FILE: Final = "INFRA_NOT_BLESSED"

_BLESSED: Final = "blessed"


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def ServingCheck(
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    transform_graph: InputArtifact[standard_artifacts.TransformGraph],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    serving: Parameter[str],
    code_digest: Parameter[str],
) -> None:
    """Serves the model in a process of its own, and blesses it if clients get what was trained, in time.

    Args:
        model: the candidate, with the Keras model that it was exported from.
        examples: with split `test`.
        transform_graph: that the model was trained on.
        blessing: `blessed` is 1 or 0, as InfraValidator's; `reason` says what was found, `serving_check.json` all.
        serving: `ServingSettings` as JSON.
        code_digest: makes a change of this code a new execution.
    """
    del code_digest
    settings = ServingSettings.model_validate_json(serving)
    outcome = check.check_serving(
        saved_model=path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)),
        trained_model=os.path.join(model.uri, file_names.TRAINED_MODEL),
        transform_output=transform_graph.uri,
        texts=_test_reviews(examples, settings.check_reviews),
        settings=settings,
    )
    with fileio.open(os.path.join(blessing.uri, OUTCOME_FILE), "w") as file:
        file.write(json.dumps(outcome.to_json(), indent=2) + "\n")
    io_utils.write_string_file(os.path.join(blessing.uri, _BLESSED_FILE if outcome.passed else _NOT_BLESSED_FILE), "")
    blessing.set_int_custom_property(_BLESSED, int(outcome.passed))
    blessing.set_string_custom_property(REASON, _in_words(outcome))


def _in_words(outcome: check.Outcome) -> str:
    if not outcome.passed:
        return "; ".join(outcome.problems)
    return (
        f"{outcome.reviews} reviews through every signature, all within "
        f"{max(outcome.greatest_difference.values()):.1g} of the trained model; "
        f"one review takes {outcome.latency_ms['p50']:.1f} ms (median)"
    )


def _test_reviews(examples: standard_artifacts.Examples, count: int) -> list[bytes]:
    pattern = io_utils.all_files_pattern(artifact_utils.get_split_uri([examples], features.TEST))
    files = sorted(tf.io.gfile.glob(pattern))
    records = read_records(files, tf.io.gfile.GFile)
    spec = {features.TEXT: tf.io.FixedLenFeature([], tf.string)}
    return [tf.io.parse_single_example(record, spec)[features.TEXT].numpy() for record in islice(records, count)]

"""ServingCheck: serves the winner and compares its answers with the trained model's, before it is pushed."""

import json
import os
from dataclasses import asdict
from itertools import islice
from typing import Final

from tfx.components import InfraValidator
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.proto import infra_validator_pb2 as infra
from tfx.types import BaseChannel, standard_artifacts
from tfx.utils import io_utils

from components.artifacts import BLESSED, REASON, read_split, saved_model_folder, trained_model_file
from components.serving_check.check import CheckOutcome, check_serving
from imdb_core.code_digest import code_digest
from imdb_core.features import TEST, TEXT
from imdb_core.file_names import OUTCOME_FILE
from imdb_core.settings import ServingSettings
from imdb_core.signatures import SERVING_DEFAULT

SERVING_CHECK: Final = "ServingCheck"

# The version of TensorFlow Serving whose interface our embedded server has.
_TENSORFLOW_SERVING: Final = "2.16.1"
# TFX's names, which its Pusher looks for.
_BLESSED_FILE: Final = "INFRA_BLESSED"
_NOT_BLESSED_FILE: Final = "INFRA_NOT_BLESSED"


def serving_check_node(
    model: BaseChannel, examples: BaseChannel, transform_graph: BaseChannel, settings: ServingSettings
) -> BaseComponent:
    """Builds the node that `serving.check` selects: ServingCheck, or TFX's InfraValidator, which needs Docker."""
    if settings.check == "infra_validator":
        node = InfraValidator(
            model=model,
            examples=examples,
            serving_spec=infra.ServingSpec(
                model_name=settings.model_name,
                tensorflow_serving=infra.TensorFlowServing(tags=[_TENSORFLOW_SERVING]),
                local_docker=infra.LocalDockerConfig(),
            ),
            request_spec=infra.RequestSpec(
                tensorflow_serving=infra.TensorFlowServingRequestSpec(signature_names=[SERVING_DEFAULT]),
                split_name=TEST,
                num_examples=settings.check_reviews,
            ),
            validation_spec=infra.ValidationSpec(max_loading_time_seconds=round(settings.check_timeout)),
        )
    else:
        node = ServingCheck(
            model=model,
            examples=examples,
            transform_graph=transform_graph,
            serving=settings.model_dump_json(),
            code_digest=code_digest(__name__, "serving.server.__main__"),
        )
    return node.with_id(SERVING_CHECK)


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def ServingCheck(
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    transform_graph: InputArtifact[standard_artifacts.TransformGraph],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    serving: Parameter[str],
    code_digest: Parameter[str],
) -> None:
    """Serves the model in a separate process, and blesses it if clients get the trained model's answers in time.

    Args:
        model: The candidate, with the Keras model that it was exported from.
        examples: Examples with split `test`.
        transform_graph: The Transform graph that the model was trained on.
        blessing: The verdict: property `blessed` (1 or 0, as with InfraValidator) with property `reason`, and
            `serving_check.json` with the whole outcome.
        serving: `ServingSettings` as JSON.
        code_digest: Digest of this code. A change of the code makes a new execution.
    """
    del code_digest
    settings = ServingSettings.model_validate_json(serving)
    checked = islice(read_split(examples, TEST), settings.check_reviews)
    outcome = check_serving(
        saved_model=saved_model_folder(model),
        trained_model=trained_model_file(model),
        transform_output=transform_graph.uri,
        texts=[example[TEXT].bytes_list.value[0] for example in checked],
        settings=settings,
    )
    document = json.dumps({"passed": outcome.passed, **asdict(outcome)}, indent=2) + "\n"
    io_utils.write_string_file(os.path.join(blessing.uri, OUTCOME_FILE), document)
    io_utils.write_string_file(os.path.join(blessing.uri, _BLESSED_FILE if outcome.passed else _NOT_BLESSED_FILE), "")
    blessing.set_int_custom_property(BLESSED, int(outcome.passed))
    blessing.set_string_custom_property(REASON, _in_words(outcome))


def _in_words(outcome: CheckOutcome) -> str:
    if not outcome.passed:
        return "; ".join(outcome.problems)
    return (
        f"{outcome.reviews} reviews through every signature, all within "
        f"{max(outcome.greatest_difference.values()):.1g} of the trained model; "
        f"one review takes {outcome.latency_ms['p50']:.1f} ms (median)"
    )

"""Builds TFX's InfraValidator, which serves the winner with TensorFlow Serving in Docker."""

from typing import Final

from tfx.components import InfraValidator
from tfx.proto import infra_validator_pb2
from tfx.types import BaseChannel

from imdb_core import features, signatures
from imdb_core.settings import ServingSettings

# The version of TensorFlow Serving whose interface our embedded server has.
TENSORFLOW_SERVING: Final = "2.16.1"


def infra_validator(model: BaseChannel, examples: BaseChannel, settings: ServingSettings) -> InfraValidator:
    """Builds the component.

    Args:
        model: The candidate.
        examples: Examples with split `test`.
        settings: Name of the model, number of reviews to send and time limit for loading.
    """
    return InfraValidator(
        model=model,
        examples=examples,
        serving_spec=infra_validator_pb2.ServingSpec(
            model_name=settings.model_name,
            tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=[TENSORFLOW_SERVING]),
            local_docker=infra_validator_pb2.LocalDockerConfig(),
        ),
        request_spec=infra_validator_pb2.RequestSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(
                signature_names=[signatures.SERVING_DEFAULT]
            ),
            split_name=features.TEST,
            num_examples=settings.check_reviews,
        ),
        validation_spec=infra_validator_pb2.ValidationSpec(max_loading_time_seconds=round(settings.check_timeout)),
    )

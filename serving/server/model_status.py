"""The answer to GetModelStatus."""

from collections.abc import Callable, Mapping

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse

from serving.server.errors import StatusError, invalid_argument
from serving.server.lifecycle import State

States = Mapping[int, tuple[State, StatusError | None]]


def model_status(request: GetModelStatusRequest, states_of: Callable[[str], States]) -> GetModelStatusResponse:
    """Tells the state of one or all versions of a model.

    Args:
        request: with name, and version if only one is asked for; a label is ignored.
        states_of: tells state and error of all versions that a model ever had.

    Returns:
        The versions in the order of `states_of`.

    Raises:
        StatusError: INVALID_ARGUMENT without a model spec; NOT_FOUND for an unknown model or version.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    name = request.model_spec.name
    states = states_of(name)
    if request.model_spec.HasField("version"):
        version = request.model_spec.version.value
        if version not in states:
            raise StatusError(grpc.StatusCode.NOT_FOUND, f"Could not find version {version} of model {name}")
        states = {version: states[version]}
    elif not states:
        raise StatusError(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
    response = GetModelStatusResponse()
    for version, (state, error) in states.items():
        status = response.model_version_status.add(version=version, state=int(state)).status
        status.error_code = error.code.value[0] if error else grpc.StatusCode.OK.value[0]
        status.error_message = error.message if error else ""
    return response

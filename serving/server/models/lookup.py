"""Finds the version of a model that a request is for, and tells the states of all versions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.server.errors import StatusError, invalid_argument
from serving.server.models.labels import Labels
from serving.server.models.lifecycle import State, Version
from serving.server.models.served_model import ServedModel

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable

States = Mapping[int, tuple[State, StatusError | None]]


class ModelLookup:
    """Models by name, and what a request may ask of them. All methods may be called from any thread.

    Args:
        allow_labels: whether versions have labels.
    """

    def __init__(self, *, allow_labels: bool = True) -> None:
        self._allow_labels = allow_labels
        self._models: dict[str, ServedModel] = {}  # all that there ever were: their versions stay in the status
        self._labels: Labels | None = None  # replaced as a whole

    @contextmanager
    def lookup(self, spec: ModelSpec) -> Iterator["Servable"]:
        """Looks a version up and holds it: it stays loaded as long as the context lasts.

        Args:
            spec: name, and version or label; the highest version that is AVAILABLE if it has neither.

        Raises:
            StatusError: INVALID_ARGUMENT if it has no name, or a label that is unknown or not allowed; NOT_FOUND for
                an unknown model, or a version that is not AVAILABLE; UNAVAILABLE for a label before the first config.
        """
        model, version = self._acquire(spec)
        try:
            yield version.servable  # type: ignore[misc]  # it has one until it is released
        finally:
            model.release(version)

    def status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """Tells the state of one or all versions of a model; versions that are no longer served are among them.

        Args:
            request: with name, and version if only one is asked for; a label is ignored.

        Returns:
            The highest version first.

        Raises:
            StatusError: INVALID_ARGUMENT without a model spec; NOT_FOUND for an unknown model or version.
        """
        return model_status(request, lambda name: self._models[name].states() if name in self._models else {})

    def is_model(self, name: str) -> bool:
        """Returns whether a config has ever listed a model of this name."""
        return name in self._models

    def _available(self, name: str) -> list[int]:
        return self._models[name].available() if name in self._models else []

    def _acquire(self, spec: ModelSpec) -> tuple[ServedModel, Version]:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        number = self._number_of(spec)
        model = self._models.get(spec.name)
        while True:
            version = model.acquire(number) if model else None
            if model and version:
                return model, version
            tried, number = number, self._number_of(spec)
            # Otherwise its label has moved on, and the version was unloaded after the label was read.
            if number == tried:
                asked = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
                raise StatusError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")

    def _number_of(self, spec: ModelSpec) -> int | None:
        if spec.WhichOneof("version_choice") != "version_label":
            return spec.version.value if spec.HasField("version") else None
        label = spec.version_label
        if not self._allow_labels:
            raise invalid_argument("ModelSpec has 'version_label' set, but it is not currently allowed by the server.")
        if self._labels is None:
            raise StatusError(grpc.StatusCode.UNAVAILABLE, f"Model labels does not init yet.{label}")
        number = self._labels.get(spec.name, {}).get(label)
        if number is None:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return number


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

"""Finds the version of a model that a request is for, by number or by label, and reports the states of all versions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.server.errors import ServingError, failed_precondition, invalid_argument
from serving.server.models.lifecycle import ServableVersion
from serving.server.models.served_model import ServedModel

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable

Labels = Mapping[str, Mapping[str, int]]


class ModelLookup:
    """The models by name and their labels. All methods are thread-safe."""

    def __init__(self) -> None:
        self._models: dict[str, ServedModel] = {}  # includes removed models: the status still shows their versions
        self._labels: Labels | None = None  # always replaced as a whole, never changed

    @contextmanager
    def lookup(self, spec: ModelSpec) -> Iterator["Servable"]:
        """Looks a version up, by default the highest AVAILABLE one, and keeps it loaded until the context ends.

        Raises:
            ServingError: INVALID_ARGUMENT for a missing name or an unknown label; NOT_FOUND for an unknown model or a
                version that is not AVAILABLE; UNAVAILABLE for a label before the first config.
        """
        model, version = self._acquire(spec)
        try:
            yield version.servable  # type: ignore[misc]  # never None before the release
        finally:
            model.release(version)

    def status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """Reports the state of one or all versions of a model, also of those no longer served, the highest first.

        The request's label is ignored.

        Raises:
            ServingError: INVALID_ARGUMENT without a model spec; NOT_FOUND for an unknown model or version.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        name = request.model_spec.name
        states = self._models[name].states() if name in self._models else {}
        if request.model_spec.HasField("version"):
            version = request.model_spec.version.value
            if version not in states:
                raise ServingError(grpc.StatusCode.NOT_FOUND, f"Could not find version {version} of model {name}")
            states = {version: states[version]}
        elif not states:
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        response = GetModelStatusResponse()
        for version, (state, error) in states.items():
            status = response.model_version_status.add(version=version, state=int(state)).status
            status.error_code = error.code.value[0] if error else grpc.StatusCode.OK.value[0]
            status.error_message = error.message if error else ""
        return response

    def is_model(self, name: str) -> bool:
        """Returns whether a config has ever listed a model of this name."""
        return name in self._models

    def _available(self, name: str) -> list[int]:
        return self._models[name].available() if name in self._models else []

    def _acquire(self, spec: ModelSpec) -> tuple[ServedModel, ServableVersion]:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        number = self._number_of(spec)
        model = self._models.get(spec.name)
        while True:
            version = model.acquire(number) if model else None
            if model and version:
                return model, version
            tried, number = number, self._number_of(spec)
            # If the number differs, the label was moved and its old version unloaded since the label was read.
            if number == tried:
                asked = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
                raise ServingError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")

    def _number_of(self, spec: ModelSpec) -> int | None:
        if spec.WhichOneof("version_choice") != "version_label":
            return spec.version.value if spec.HasField("version") else None
        label = spec.version_label
        if self._labels is None:
            raise ServingError(grpc.StatusCode.UNAVAILABLE, f"Model labels does not init yet.{label}")
        number = self._labels.get(spec.name, {}).get(label)
        if number is None:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return number

    def _labels_of(self, config: ModelServerConfig, *, allow_unavailable: bool) -> Labels:
        """Reads the labels of a config, and refuses labels of versions that cannot answer requests.

        With `allow_unavailable`, a label that is new or unchanged may name a version that is not AVAILABLE.
        """
        labels: dict[str, dict[str, int]] = {}
        for model in config.model_config_list.config:
            now = (self._labels or {}).get(model.name, {})
            for label, version in sorted(model.version_labels.items()):
                is_allowed = allow_unavailable and now.get(label, version) == version
                if not is_allowed and version not in self._available(model.name):
                    raise failed_precondition(
                        f"Request to assign label to version {version} of model {model.name}, which is not currently "
                        "available for inference"
                    )
                labels.setdefault(model.name, {})[label] = version
        return labels

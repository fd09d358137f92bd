"""Labels of versions, like `stable` and `canary`."""

from collections.abc import Callable, Collection, Mapping

import grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.server.errors import StatusError

Labels = Mapping[str, Mapping[str, int]]


def labels_of(
    config: ModelServerConfig,
    *,
    current: Labels,
    available: Callable[[str], Collection[int]],
    allow_unavailable: bool,
) -> Labels:
    """Reads the labels of a config; a label must not lead requests to where nothing answers them.

    Args:
        config: the new one.
        current: the labels of now.
        available: tells the versions of a model that are AVAILABLE.
        allow_unavailable: whether a label that is new, or stays where it is, may name another version.

    Returns:
        Version by label by model.

    Raises:
        StatusError: FAILED_PRECONDITION; a label names a version that it may not.
    """
    labels: dict[str, dict[str, int]] = {}
    for model in config.model_config_list.config:
        now = current.get(model.name, {})
        for label, version in sorted(model.version_labels.items()):
            is_allowed = allow_unavailable and now.get(label, version) == version
            if not is_allowed and version not in available(model.name):
                raise StatusError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {model.name}, which is not currently "
                    "available for inference",
                )
            labels.setdefault(model.name, {})[label] = version
    return labels

"""Running servers, reached through the client."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from serving.client import Client, ClientError, ModelNotFoundError, Prediction
from serving.releases.compare import Ask
from serving.releases.rollout import ReleaseServer

# Deadline of requests that a server answers at once or not at all.
_SECONDS: Final = 5.0


class RunningServer:
    """A ReleaseServer that is reached through the client."""

    def __init__(self, target: str, model: str) -> None:
        self.target = target
        self._model = model

    def states(self) -> Mapping[int, str]:
        """See ReleaseServer."""
        try:
            with Client(self.target, self._model, deadline=_SECONDS, retries=0) as client:
                statuses = client.status()
        except ClientError:
            return {}
        return {one.version: f"{one.state}: {one.error}" if one.error else one.state for one in statuses}

    def version_of(self, label: str) -> int | None:
        """See ReleaseServer."""
        try:
            with Client(self.target, self._model, label=label, deadline=_SECONDS, retries=0) as client:
                return client.metadata().version
        except ClientError:
            return None


def connect(targets: Sequence[str], default: str, model: str) -> list[ReleaseServer]:
    """Finds the servers that have to follow a change: the targets or, without any, the default one if it answers.

    Raises:
        ClientError: One of `targets` does not answer.
    """
    if not targets:
        found = RunningServer(default, model)
        return [found] if found.states() else []
    for target in targets:
        # A server may be waiting for the model's first version.
        with Client(target, model, deadline=_SECONDS, retries=0) as client, contextlib.suppress(ModelNotFoundError):
            client.status()
    return [RunningServer(target, model) for target in targets]


@contextlib.contextmanager
def asking(target: str, model: str, name: str) -> Iterator[Ask]:
    """Connects to the version of a model that has a number or label as its name.

    Yields:
        A function that sends a review to the version; it raises ClientError.
    """
    version, label = (int(name), None) if name.isdecimal() else (None, name)
    with Client(target, model, version=version, label=label) as client:

        def ask(text: str) -> Prediction:
            (prediction,) = client.predict([text])
            # A REST answer does not name the version.
            return dataclasses.replace(prediction, model_version=prediction.model_version or version)

        yield ask

"""Servers that run, seen through the client."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from imdb_core import features
from serving.client import Client, ClientError, ModelNotFoundError
from serving.releases.compare import Answer, Ask
from serving.releases.rollout import Server

_POSITIVE: Final = features.SENTIMENTS[features.POSITIVE]
# For questions that a server answers at once or not at all.
_SECONDS: Final = 5.0


class RunningServer:
    """A Server of a roll-out.

    Args:
        target: its address.
        model: name of the model.
    """

    def __init__(self, target: str, model: str) -> None:
        self.target = target
        self._model = model

    def states(self) -> Mapping[int, str]:
        """See Server."""
        try:
            with Client(self.target, self._model, deadline=_SECONDS, retries=0) as client:
                statuses = client.status()
        except ClientError:
            return {}
        return {one.version: f"{one.state}: {one.error}" if one.error else one.state for one in statuses}

    def version_of(self, label: str) -> int | None:
        """See Server."""
        try:
            with Client(self.target, self._model, label=label, deadline=_SECONDS, retries=0) as client:
                return client.metadata().version
        except ClientError:
            return None


def connect(targets: Sequence[str], default: str, model: str) -> list[Server]:
    """Finds the servers that a change has to reach.

    Args:
        targets: must all answer.
        default: asked if no targets are given; it need not be there.
        model: name of the model.

    Raises:
        ClientError: one of `targets` does not answer.
    """
    if not targets:
        found = RunningServer(default, model)
        return [found] if found.states() else []
    for target in targets:
        # It may be waiting for the model's first version.
        with Client(target, model, deadline=_SECONDS, retries=0) as client, contextlib.suppress(ModelNotFoundError):
            client.status()
    return [RunningServer(target, model) for target in targets]


@contextlib.contextmanager
def asking(target: str, model: str, name: str) -> Iterator[Ask]:
    """Connects to a version.

    Args:
        target: address of the server.
        model: name of the model.
        name: the version's number, or its label.

    Yields:
        What sends it a review; it raises ClientError.
    """
    version = int(name) if name.isdecimal() else None
    label = name if version is None else None
    with Client(target, model, version=version, label=label) as client:

        def ask(text: str) -> Answer:
            (prediction,) = client.predict([text])
            # REST does not say which version answered.
            return Answer(prediction.label, prediction.probabilities[_POSITIVE], prediction.model_version or version)

        yield ask

"""What gRPC and REST share: requests, answers and retries."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from serving.client.results import Metadata, VersionStatus

TEXT_INPUT: Final = "text"
UNAVAILABLE: Final = "UNAVAILABLE"

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0

T = TypeVar("T")


class TransportError(Exception):
    """The server answers with an error, or does not answer; `code` is gRPC's name for it, such as `NOT_FOUND`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class ModelSpec:
    """The model and version of a request. With neither version nor label, the newest loaded version answers."""

    name: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class SignatureAnswer:
    """The outputs of a signature by name, as nested lists, and the version that answered, if the server names it."""

    outputs: Mapping[str, list[Any]]
    version: int | None


class Transport(Protocol):
    """A connection to one server, whose address is `target`; threads may share it.

    All methods but `close` raise TransportError. Timeouts are in seconds.
    """

    target: str

    def predict(
        self, spec: ModelSpec, signature: str, texts: Sequence[str], outputs: Sequence[str], timeout: float
    ) -> SignatureAnswer:
        """Runs a signature whose input `text` is string `[n]`.

        The answer has at least those of the `outputs` that the signature has. Models that an older pipeline exported
        lack some, which a filter in the request would make an error.
        """

    def status(self, model: str, timeout: float) -> list[VersionStatus]:
        """Returns the states of a model's versions, newest first."""

    def metadata(self, spec: ModelSpec, timeout: float) -> Metadata:
        """Returns a model's signatures."""

    def model_names(self, timeout: float) -> set[str]:
        """Returns names of models that the server may have; TensorFlow Serving has no call that lists them."""

    def close(self) -> None:
        """Closes the connections."""


def with_retries(call: Callable[[float], T], *, retries: int, deadline: float) -> T:
    """Repeats a call while the server is unavailable; any other error ends it.

    The pauses double and have a random part, so that clients that lost a server together do not return together.

    The call gets the seconds that are left of `deadline`, which holds for all calls and pauses together.

    Raises:
        TransportError: The last error, after at most `retries` repetitions.
    """
    end = time.monotonic() + deadline
    attempt = 0
    while True:
        try:
            return call(max(end - time.monotonic(), 0.0))
        except TransportError as error:
            longest = min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
            pause = random.uniform(longest / 2, longest)  # noqa: S311 - not for cryptography
            if error.code != UNAVAILABLE or attempt >= retries or time.monotonic() + pause >= end:
                raise
        time.sleep(pause)
        attempt += 1

"""What gRPC and REST have in common: questions, answers, and trying again."""

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

Result = TypeVar("Result")


class StatusError(Exception):
    """A server answers with an error, or there is none.

    Args:
        code: of gRPC's status codes, like `NOT_FOUND`.
        message: of the server or the network.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class ModelSpec:
    """Which model is asked.

    Attributes:
        name: of the model.
        version: a certain one.
        label: the version that has it. With neither, the newest that is loaded.
    """

    name: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a signature gave for some texts.

    Attributes:
        outputs: nested lists by name; strings are str.
        version: of the model that answered, None where the server did not say.
    """

    outputs: Mapping[str, list[Any]]
    version: int | None


class Transport(Protocol):
    """Asks one server. All methods but `close` raise StatusError; timeouts are in seconds; it may be shared by threads.

    Attributes:
        target: its address, for messages.
    """

    target: str

    def predict(
        self, spec: ModelSpec, signature: str, texts: Sequence[str], outputs: Sequence[str], timeout: float
    ) -> Answer:
        """Runs a signature whose input `text` is string `[n]`."""

    def status(self, model: str, timeout: float) -> list[VersionStatus]:
        """Tells the states of a model's versions, newest first."""

    def metadata(self, spec: ModelSpec, timeout: float) -> Metadata:
        """Tells a model's signatures."""

    def model_names(self, timeout: float) -> set[str]:
        """Names models that the server may have; TensorFlow Serving has no call for that."""

    def close(self) -> None:
        """Closes the connections."""


def with_retries(call: Callable[[float], Result], *, retries: int, deadline: float) -> Result:
    """Calls again as long as the server is unavailable; any other error is the answer.

    The pauses double, and vary by chance, so that clients that lost one server together do not come back together.

    Args:
        call: takes the seconds that are left.
        retries: how often at most.
        deadline: seconds for all calls and pauses.

    Raises:
        StatusError: the last one.
    """
    end = time.monotonic() + deadline
    attempt = 0
    while True:
        try:
            return call(max(end - time.monotonic(), 0.0))
        except StatusError as error:
            longest = min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
            pause = random.uniform(longest / 2, longest)  # noqa: S311 - no secret
            if error.code != UNAVAILABLE or attempt >= retries or time.monotonic() + pause >= end:
                raise
        time.sleep(pause)
        attempt += 1

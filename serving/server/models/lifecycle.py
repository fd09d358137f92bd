"""The life cycle of a version, and TensorFlow Serving's AvailabilityPreservingPolicy as a function."""

import enum
from collections.abc import Collection, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.server.errors import ServingError

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable


class ServableState(enum.IntEnum):
    """State of a version, with the names and numbers of ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(eq=False)
class ServableVersion:
    """A version of a model, from the moment it should be served.

    Attributes:
        number: Number of the version.
        path: Folder of the version.
        state: Current state.
        error: Error of the last load; None if it did not fail.
        servable: The version in memory, while it is AVAILABLE or UNLOADING.
        holders: Number of requests that use the version.
        failures: Number of failed loads.
        retry_at: Earliest time of the next load, by `time.monotonic()`.
    """

    number: int
    path: str
    state: ServableState = ServableState.START
    error: ServingError | None = None
    servable: "Servable | None" = None
    holders: int = 0
    failures: int = 0
    retry_at: float = 0.0


@dataclass(frozen=True)
class StateChange:
    """A change of a version's state, as published to listeners.

    Attributes:
        model: Name of the model.
        version: Number of the version.
        path: Folder of the version.
        state: The new state. LOADING with an error means that a load has failed and will be retried.
        error: Error of the last load; None if it did not fail.
    """

    model: str
    version: int
    path: str
    state: ServableState
    error: ServingError | None = None


class Action(enum.Enum):
    """A step in the life of a version."""

    LOAD = enum.auto()
    GIVE_UP = enum.auto()  # end a version that is not loaded and no longer wanted
    UNLOAD = enum.auto()  # stop giving a version to new requests
    CLOSE = enum.auto()  # free a version after its last request


def next_action(
    versions: Collection[ServableVersion], aspired: Container[int], now: float
) -> tuple[Action, ServableVersion] | None:
    """Decides what to do next, while no version is being loaded.

    An unwanted version is unloaded, the lowest first, if a wanted version is AVAILABLE, if no version is wanted, or if
    another unwanted version is AVAILABLE. One version thus always stays AVAILABLE, even if a new version turns out to
    be broken. Afterwards the highest wanted version is loaded.

    Args:
        versions: All versions of one model.
        aspired: Numbers of the wanted versions.
        now: `time.monotonic()`.

    Returns:
        The action and its version; None if there is nothing to do now.
    """
    for version in versions:
        if version.state is ServableState.UNLOADING and not version.holders:
            return Action.CLOSE, version
        if version.state in (ServableState.START, ServableState.LOADING) and version.number not in aspired:
            return Action.GIVE_UP, version

    serving = [version for version in versions if version.state is ServableState.AVAILABLE]
    leaving = [version for version in serving if version.number not in aspired]
    is_any_aspired = any(version.number in aspired for version in versions)
    if leaving and (not is_any_aspired or len(serving) > len(leaving) or len(leaving) > 1):
        return Action.UNLOAD, min(leaving, key=_number)

    new = [version for version in versions if version.state is ServableState.START]
    again = [version for version in versions if version.state is ServableState.LOADING and version.retry_at <= now]
    if new or again:
        return Action.LOAD, max(new or again, key=_number)
    return None


def _number(version: ServableVersion) -> int:
    return version.number

"""The life cycle of a version, and TensorFlow Serving's AvailabilityPreservingPolicy as a function."""

import enum
from collections.abc import Collection, Container
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from serving.server.errors import ServingError
from serving.server.models.folder_content import FolderContent

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable

# A version that is unloaded stays in memory until its last request has ended. The next load waits for that, because a
# third version may not fit into memory, but not for ever: a request without a deadline may never end.
UNLOAD_PATIENCE: Final = 30.0  # seconds


class ServableState(enum.IntEnum):
    """State of a version, with the names and numbers of ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(eq=False)
class ServableVersion:
    """A version of a model, from the moment it should be served."""

    number: int
    path: str
    state: ServableState = ServableState.START
    error: ServingError | None = None  # of the last load
    servable: "Servable | None" = None  # the version in memory, while it is AVAILABLE or UNLOADING
    holders: int = 0  # requests that use the version
    failures: int = 0  # failed loads since the files last changed
    retry_at: float = 0.0  # earliest time of the next load, by `time.monotonic()`
    unloading_since: float = 0.0  # by `time.monotonic()`
    tried: FolderContent | None = None  # files before the last load
    seen: FolderContent | None = None  # files at the last poll after a failed load


@dataclass(frozen=True)
class StateChange:
    """A change of a version's state, as published to listeners."""

    model: str
    version: int
    path: str
    state: ServableState  # LOADING with an error means that a load has failed and will be retried
    error: ServingError | None = None  # of the last load


class Action(enum.Enum):
    """A step in the life of a version."""

    LOAD = enum.auto()
    GIVE_UP = enum.auto()  # end a version that is not loaded and no longer wanted
    UNLOAD = enum.auto()  # stop giving a version to new requests
    CLOSE = enum.auto()  # free a version after its last request


def next_action(
    versions: Collection[ServableVersion], aspired: Container[int], now: float
) -> tuple[Action, ServableVersion] | None:
    """Decides what to do next while no version of a model is being loaded; returns None if there is nothing to do.

    An unwanted version is unloaded, the lowest first, if a wanted version is AVAILABLE, if no version is wanted, or if
    another unwanted version is AVAILABLE. One version thus always stays AVAILABLE, even if a new version turns out to
    be broken. Afterwards the highest wanted version is loaded, while at most one other version is in memory besides
    those that are wanted; see `UNLOAD_PATIENCE`.

    Args:
        versions: All versions of the model.
        aspired: Numbers of the wanted versions.
        now: `time.monotonic()`.
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
        return Action.UNLOAD, min(leaving, key=attrgetter("number"))

    if serving and any(
        version.state is ServableState.UNLOADING and now < version.unloading_since + UNLOAD_PATIENCE
        for version in versions
    ):
        return None
    new = [version for version in versions if version.state is ServableState.START]
    again = [version for version in versions if version.state is ServableState.LOADING and version.retry_at <= now]
    if new or again:
        return Action.LOAD, max(new or again, key=attrgetter("number"))
    return None


def next_time(versions: Collection[ServableVersion], now: float) -> float | None:
    """Returns when `next_action` may decide differently although nothing has happened; None for never."""
    retries = [version.retry_at for version in versions if version.state is ServableState.LOADING]
    leaving = [version for version in versions if version.state is ServableState.UNLOADING]
    times = [*retries, *(version.unloading_since + UNLOAD_PATIENCE for version in leaving)]
    return min((time for time in times if time > now), default=None)

"""The life of a version, and what to do next with those of a model: AvailabilityPreservingPolicy, as a function."""

import enum
from collections.abc import Collection, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.server.errors import StatusError

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable


class State(enum.IntEnum):
    """Where a version is in its life; names and numbers of ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(eq=False)
class Version:
    """A version of a model, from the moment it should be served.

    Attributes:
        number: of the version.
        path: its folder.
        state: where it is in its life.
        error: why its last load failed.
        servable: the version in memory, while it is AVAILABLE or UNLOADING.
        holders: how many requests use it.
        failures: how many loads have failed.
        retry_at: when it may be loaded again, by `time.monotonic()`.
    """

    number: int
    path: str
    state: State = State.START
    error: StatusError | None = None
    servable: "Servable | None" = None
    holders: int = 0
    failures: int = 0
    retry_at: float = 0.0


@dataclass(frozen=True)
class Event:
    """A version has come to another state.

    Attributes:
        model: its name.
        version: its number.
        path: its folder.
        state: that it is in now. LOADING with an error: a load has failed and will be tried again.
        error: why a load failed.
    """

    model: str
    version: int
    path: str
    state: State
    error: StatusError | None = None


class Action(enum.Enum):
    """What can be done with a version."""

    LOAD = enum.auto()
    GIVE_UP = enum.auto()  # it is not loaded, and no longer should be
    UNLOAD = enum.auto()  # no new request gets it
    CLOSE = enum.auto()  # its last request is done


def next_action(versions: Collection[Version], aspired: Container[int], now: float) -> tuple[Action, Version] | None:
    """Decides what to do next, while no version is being loaded.

    A version that should not be served is unloaded, the lowest first, if one that should be is AVAILABLE, if none
    should be, or if another one that should not be is AVAILABLE too: so there is always one left to answer, also if a
    new version turns out to be broken. Then the highest version that should be served is loaded.

    Args:
        versions: of one model.
        aspired: numbers of those that should be served.
        now: `time.monotonic()`.

    Returns:
        None if there is nothing to do, or not yet.
    """
    for version in versions:
        if version.state is State.UNLOADING and not version.holders:
            return Action.CLOSE, version
        if version.state in (State.START, State.LOADING) and version.number not in aspired:
            return Action.GIVE_UP, version

    serving = [version for version in versions if version.state is State.AVAILABLE]
    leaving = [version for version in serving if version.number not in aspired]
    is_any_aspired = any(version.number in aspired for version in versions)
    if leaving and (not is_any_aspired or len(serving) > len(leaving) or len(leaving) > 1):
        return Action.UNLOAD, min(leaving, key=_number)

    new = [version for version in versions if version.state is State.START]
    again = [version for version in versions if version.state is State.LOADING and version.retry_at <= now]
    if new or again:
        return Action.LOAD, max(new or again, key=_number)
    return None


def _number(version: Version) -> int:
    return version.number

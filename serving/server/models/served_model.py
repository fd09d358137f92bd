"""The versions of one model: a thread loads and unloads them while requests use them."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc

from serving.server.errors import StatusError
from serving.server.models.lifecycle import Action, Event, State, Version, next_action

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable

Load = Callable[[str, int, str], "Servable"]

_LOG: Final = logging.getLogger(__name__)


class ServedModel:
    """One model. All methods may be called from any thread; only those that say so wait.

    Args:
        name: of the model.
        load: makes a servable of name, version and path; raises StatusError.
        publish: is told of each change, in order.
        load_retries: how often a load that failed is tried again.
        retry_seconds: before each of them.
    """

    def __init__(
        self, name: str, load: Load, publish: Callable[[Event], None], load_retries: int, retry_seconds: float
    ) -> None:
        self.name = name
        self._load_servable = load
        self._publish = publish
        self._load_retries = load_retries
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        # All of these are guarded by `_changed`.
        self._versions: dict[int, Version] = {}
        self._serving: dict[int, Version] = {}  # those that are AVAILABLE: requests need not search the others
        self._aspired: dict[int, str] = {}
        self._events: list[Event] = []
        self._thread: threading.Thread | None = None
        self._withdrawn = False
        self._closed = False

    def aspire(self, paths: Mapping[int, str]) -> None:
        """Says which versions should be served, in place of those that should have been until now.

        A version whose load has failed for good is loaded again only if there was a time when it should not be served.

        Args:
            paths: folder by version.
        """
        with self._changed:
            if self._closed:
                return
            new = paths.keys() - self._aspired.keys()
            self._aspired = dict(paths)
            for number in sorted(new):
                if number not in self._versions or self._versions[number].state is State.END:
                    self._begin(number)
            self._wake()

    def withdraw(self) -> None:
        """Says that the model should not be served at all any more."""
        with self._changed:
            self._withdrawn = True
            self._aspired = {}
            self._wake()

    def reinstate(self) -> None:
        """Takes back `withdraw`; `aspire` tells the versions."""
        with self._changed:
            self._withdrawn = False

    def acquire(self, number: int | None) -> Version | None:
        """Holds a version for a request: it is not unloaded until it is released.

        Args:
            number: of the version; None for the highest that is AVAILABLE.

        Returns:
            The version, with its servable; None if it is not AVAILABLE.
        """
        with self._changed:
            if number is None:
                number = max(self._serving, default=None)
            version = None if number is None else self._serving.get(number)
            if version is not None:
                version.holders += 1
            return version

    def release(self, version: Version) -> None:
        """Ends what `acquire` has begun."""
        with self._changed:
            version.holders -= 1
            if version.state is State.UNLOADING and not version.holders:
                self._changed.notify_all()

    def available(self) -> list[int]:
        """Returns the versions that are AVAILABLE, in ascending order."""
        with self._changed:
            return sorted(self._serving)

    def states(self) -> dict[int, tuple[State, StatusError | None]]:
        """Returns state and error of all versions that there ever were, the highest first."""
        with self._changed:
            ordered = sorted(self._versions.items(), reverse=True)
            return {
                number: (version.state, version.error if version.state is State.END else None)
                for number, version in ordered
            }

    def wait_until_served(self, deadline: float | None = None) -> dict[int, StatusError]:
        """Waits for a version that is AVAILABLE; for the first one to appear on disk, if need be.

        Args:
            deadline: of `time.monotonic()`.

        Returns:
            Nothing if there is one, or none is wanted any more; the error of each version if all have failed.

        Raises:
            StatusError: DEADLINE_EXCEEDED; UNAVAILABLE if the model is closed.
        """
        timeout = None if deadline is None else deadline - time.monotonic()
        with self._changed:
            settled = self._changed.wait_for(
                lambda: self._closed or self._withdrawn or self._serving or self._have_failed(), timeout
            )
            if self._closed:
                raise StatusError(grpc.StatusCode.UNAVAILABLE, "The server is stopping")
            if not settled:
                raise StatusError(
                    grpc.StatusCode.DEADLINE_EXCEEDED, f"Model {self.name} did not become available in time"
                )
            if self._serving or self._withdrawn:
                return {}
            versions = (self._versions[number] for number in self._aspired)
            return {version.number: version.error for version in versions if version.error}

    def close(self) -> None:
        """Begins to unload everything, for good."""
        with self._changed:
            self._closed = True
            self._aspired = {}
            self._wake()

    def wait_until_closed(self, deadline: float) -> bool:
        """Waits until nothing is loaded.

        Args:
            deadline: of `time.monotonic()`.

        Returns:
            Whether that is so; otherwise requests still use it, or a load is not done.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, max(0.0, deadline - time.monotonic()))

    def _have_failed(self) -> bool:
        return bool(self._aspired) and all(self._versions[number].state is State.END for number in self._aspired)

    def _begin(self, number: int) -> None:
        self._versions[number] = version = Version(number, self._aspired[number])
        self._set(version, State.START)

    def _set(self, version: Version, state: State) -> None:
        version.state = state
        self._tell(version)

    def _tell(self, version: Version) -> None:
        self._events.append(Event(self.name, version.number, version.path, version.state, version.error))

    def _wake(self) -> None:
        if self._thread is None and not self._is_idle():
            thread = threading.Thread(target=self._work, name=f"versions of {self.name}", daemon=True)
            thread.start()
            self._thread = thread
        self._changed.notify_all()

    def _is_idle(self) -> bool:
        return (
            not self._events
            and not self._aspired
            and not any(version.state is not State.END for version in self._versions.values())
        )

    def _work(self) -> None:
        while (step := self._next_step()) is not None:
            events, act = step
            for event in events:
                try:
                    self._publish(event)
                except Exception:
                    _LOG.exception("what listens to changes of versions has failed")
            act()

    def _next_step(self) -> tuple[list[Event], Callable[[], None]] | None:
        """Waits until there is something to do outside the lock; None if nothing is left to look after."""
        with self._changed:
            while True:
                act = self._next_act()
                if act or self._events:
                    events, self._events = self._events, []
                    return events, act or (lambda: None)
                if self._is_idle():
                    self._thread = None
                    self._changed.notify_all()
                    return None
                retries = [version.retry_at for version in self._versions.values() if version.state is State.LOADING]
                self._changed.wait(max(0.0, min(retries) - time.monotonic()) if retries else None)

    def _next_act(self) -> Callable[[], None] | None:
        while (found := next_action(self._versions.values(), self._aspired, time.monotonic())) is not None:
            action, version = found
            match action:
                case Action.LOAD:
                    version.error = None
                    self._set(version, State.LOADING)
                    return partial(self._load, version)
                case Action.CLOSE:
                    return partial(self._unload, version)
                case Action.UNLOAD:
                    del self._serving[version.number]
                    self._set(version, State.UNLOADING)
                case Action.GIVE_UP:
                    self._set(version, State.END)
        return None

    def _load(self, version: Version) -> None:
        servable, error = None, None
        try:
            servable = self._load_servable(self.name, version.number, version.path)
        except StatusError as failure:
            error = failure
        except Exception as failure:
            _LOG.exception("a load failed in a way that it should not")
            error = StatusError(grpc.StatusCode.INTERNAL, f"{type(failure).__name__}: {failure}")
        with self._changed:
            version.servable, version.error = servable, error
            if servable is not None:
                self._serving[version.number] = version
                self._set(version, State.AVAILABLE)
            else:
                version.failures += 1
                if version.failures > self._load_retries:
                    self._set(version, State.END)
                else:
                    version.retry_at = time.monotonic() + self._retry_seconds
                    self._tell(version)
            self._changed.notify_all()

    def _unload(self, version: Version) -> None:
        servable, version.servable = version.servable, None
        try:
            if servable is not None:
                servable.close()
        except Exception:
            _LOG.exception("an unload failed in a way that it should not")
        with self._changed:
            self._set(version, State.END)
            if version.number in self._aspired:  # again, since it began to be unloaded
                self._begin(version.number)
            self._changed.notify_all()

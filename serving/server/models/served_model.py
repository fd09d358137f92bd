"""Loads and unloads the versions of one model in a thread, while requests use them."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc

from serving.server.errors import ServingError
from serving.server.models.folder_content import content_of
from serving.server.models.lifecycle import (
    Action,
    ServableState,
    ServableVersion,
    StateChange,
    next_action,
    next_time,
)

if TYPE_CHECKING:
    from serving.server.execution.servable import Servable

Load = Callable[[str, int, str], "Servable"]

_LOG: Final = logging.getLogger(__name__)


class ServedModel:
    """One model. All methods are thread-safe, and only those named `wait...` block.

    `publish` receives each state change, in order; `ModelManager` describes the other arguments.
    """

    def __init__(
        self, name: str, load: Load, publish: Callable[[StateChange], None], load_retries: int, retry_seconds: float
    ) -> None:
        self.name = name
        self._load_servable = load
        self._publish = publish
        self._load_retries = load_retries
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        # `_changed` guards all of the following.
        self._versions: dict[int, ServableVersion] = {}
        self._serving: dict[int, ServableVersion] = {}  # the AVAILABLE ones, for quick lookups
        self._aspired: dict[int, str] = {}
        self._events: list[StateChange] = []
        self._thread: threading.Thread | None = None
        self._withdrawn = False
        self._closed = False

    def aspire(self, paths: Mapping[int, str]) -> None:
        """Replaces the versions that should be served, each with its folder.

        A version that has failed for good is loaded again only after it has been left out once, or by `retry_changed`.
        """
        with self._changed:
            if self._closed:
                return
            new = paths.keys() - self._aspired.keys()
            self._aspired = dict(paths)
            for number in sorted(new):
                if number not in self._versions or self._versions[number].state is ServableState.END:
                    self._begin(number)
            self._wake()

    def retry_changed(self) -> None:
        """Loads failed versions again whose files have changed since, once they are as they were at the last call.

        A copy that takes longer than all retries thus becomes available when it is complete.
        """
        with self._changed:
            failed = [version for version in self._versions.values() if self._may_change(version)]
        found = [(version, content_of(version.path)) for version in failed]
        with self._changed:
            for version, content in found:
                if not self._may_change(version) or self._versions[version.number] is not version:
                    continue
                is_complete = content == version.seen != version.tried
                version.seen = content
                if not is_complete:
                    continue
                if version.state is ServableState.END:
                    self._begin(version.number)
                else:
                    version.failures, version.retry_at = 0, time.monotonic()
            self._wake()

    def withdraw(self) -> None:
        """Marks the model as removed from the config; all versions will be unloaded."""
        with self._changed:
            self._withdrawn = True
            self._aspired = {}
            self._wake()

    def reinstate(self) -> None:
        """Undoes `withdraw`; call `aspire` next."""
        with self._changed:
            self._withdrawn = False

    def acquire(self, number: int | None) -> ServableVersion | None:
        """Keeps a version, by default the highest, loaded until it is released; returns None if it is not AVAILABLE."""
        with self._changed:
            if number is None:
                number = max(self._serving, default=None)
            version = None if number is None else self._serving.get(number)
            if version is not None:
                version.holders += 1
            return version

    def release(self, version: ServableVersion) -> None:
        """Releases a version that `acquire` returned."""
        with self._changed:
            version.holders -= 1
            if version.state is ServableState.UNLOADING and not version.holders:
                self._changed.notify_all()

    def available(self) -> list[int]:
        """Returns the numbers of the AVAILABLE versions, in ascending order."""
        with self._changed:
            return sorted(self._serving)

    def states(self) -> dict[int, tuple[ServableState, ServingError | None]]:
        """Returns state and error of all past and present versions, the highest first."""
        with self._changed:
            return {
                number: (version.state, version.error if version.state is ServableState.END else None)
                for number, version in sorted(self._versions.items(), reverse=True)
            }

    def wait_until_served(self, deadline: float | None = None) -> dict[int, ServingError]:
        """Waits, until a deadline by `time.monotonic()`, for an AVAILABLE version, which may still have to be pushed.

        Returns:
            Version → error if all versions have failed; empty if one is AVAILABLE or the model was withdrawn.

        Raises:
            ServingError: DEADLINE_EXCEEDED after the deadline; UNAVAILABLE if the model is closed.
        """
        timeout = None if deadline is None else deadline - time.monotonic()
        with self._changed:
            settled = self._changed.wait_for(
                lambda: self._closed or self._withdrawn or self._serving or self._have_failed(), timeout
            )
            if self._closed:
                raise ServingError(grpc.StatusCode.UNAVAILABLE, "The server is stopping")
            if not settled:
                late = f"Model {self.name} did not become available in time"
                raise ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, late)
            if self._serving or self._withdrawn:
                return {}
            versions = (self._versions[number] for number in self._aspired)
            return {version.number: version.error for version in versions if version.error}

    def close(self) -> None:
        """Starts to unload all versions for good."""
        with self._changed:
            self._closed = True
            self._aspired = {}
            self._wake()

    def wait_until_closed(self, deadline: float) -> bool:
        """Waits until nothing is loaded; returns False if requests or unfinished loads remain at the deadline."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, max(0.0, deadline - time.monotonic()))

    def _have_failed(self) -> bool:
        states = {self._versions[number].state for number in self._aspired}
        return states == {ServableState.END}

    def _may_change(self, version: ServableVersion) -> bool:
        has_failed = version.error is not None and version.state in (ServableState.LOADING, ServableState.END)
        return has_failed and version.number in self._aspired

    def _begin(self, number: int) -> None:
        self._versions[number] = version = ServableVersion(number, self._aspired[number])
        self._set(version, ServableState.START)

    def _set(self, version: ServableVersion, state: ServableState) -> None:
        version.state = state
        self._publish_later(version)

    def _publish_later(self, version: ServableVersion) -> None:
        self._events.append(StateChange(self.name, version.number, version.path, version.state, version.error))

    def _wake(self) -> None:
        if self._thread is None and not self._is_idle():
            thread = threading.Thread(target=self._work, name=f"versions of {self.name}", daemon=True)
            thread.start()
            self._thread = thread
        self._changed.notify_all()

    def _is_idle(self) -> bool:
        ended = all(version.state is ServableState.END for version in self._versions.values())
        return ended and not self._events and not self._aspired

    def _work(self) -> None:
        while (step := self._next_step()) is not None:
            events, act = step
            for event in events:
                try:
                    self._publish(event)
                except Exception:
                    _LOG.exception("Unexpected error in a listener to state changes")
            act()

    def _next_step(self) -> tuple[list[StateChange], Callable[[], None]] | None:
        """Waits for the next work to do outside the lock; returns None if no version is left."""
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
                now = time.monotonic()
                then = next_time(self._versions.values(), now)
                self._changed.wait(None if then is None else then - now)

    def _next_act(self) -> Callable[[], None] | None:
        while (found := next_action(self._versions.values(), self._aspired, time.monotonic())) is not None:
            action, version = found
            match action:
                case Action.LOAD:
                    version.error = None
                    self._set(version, ServableState.LOADING)
                    return partial(self._load, version)
                case Action.CLOSE:
                    return partial(self._unload, version)
                case Action.UNLOAD:
                    del self._serving[version.number]
                    version.unloading_since = time.monotonic()
                    self._set(version, ServableState.UNLOADING)
                case Action.GIVE_UP:
                    self._set(version, ServableState.END)
        return None

    def _load(self, version: ServableVersion) -> None:
        content = content_of(version.path)
        with self._changed:
            if content != version.tried:
                version.failures = 0
            version.tried = version.seen = content
        servable, error = self._loaded(version)
        with self._changed:
            version.servable, version.error = servable, error
            if servable is not None:
                self._serving[version.number] = version
                self._set(version, ServableState.AVAILABLE)
            else:
                version.failures += 1
                if version.failures > self._load_retries:
                    self._set(version, ServableState.END)
                else:
                    version.retry_at = time.monotonic() + self._retry_seconds
                    self._publish_later(version)
            self._changed.notify_all()

    def _loaded(self, version: ServableVersion) -> tuple["Servable | None", ServingError | None]:
        """Returns the loaded version or the error."""
        try:
            servable = self._load_servable(self.name, version.number, version.path)
            if content_of(version.path) == version.tried:
                return servable, None
            servable.close()
            changed = f"The files in {version.path} changed while they were loaded; perhaps they are still being copied"
            return None, ServingError(grpc.StatusCode.UNAVAILABLE, changed)
        except ServingError as failure:
            return None, failure
        except Exception as failure:
            _LOG.exception("Unexpected error while loading version %d of model %s", version.number, self.name)
            return None, ServingError(grpc.StatusCode.INTERNAL, f"{type(failure).__name__}: {failure}")

    def _unload(self, version: ServableVersion) -> None:
        servable, version.servable = version.servable, None
        try:
            if servable is not None:
                servable.close()
        except Exception:
            _LOG.exception("Unexpected error while unloading version %d of model %s", version.number, self.name)
        with self._changed:
            self._set(version, ServableState.END)
            if version.number in self._aspired:  # it became wanted again during the unload
                self._begin(version.number)
            self._changed.notify_all()

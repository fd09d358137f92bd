"""Servables that consist of a text file, and a loader that can be made to wait, for tests of the life cycle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import grpc
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.server.errors import ServingError
from serving.server.models.lifecycle import ServableState, StateChange

BROKEN = "broken"
SECONDS = 20.0


def push(base_path: Path, version: int | str, text: str = "fine") -> None:
    """Makes a version, whose folder appears with its complete content."""
    base_path.mkdir(parents=True, exist_ok=True)
    hidden = base_path / f".pushing-{version}"
    hidden.mkdir()
    (hidden / "text").write_text(text)
    hidden.rename(base_path / str(version))


class TextServable:
    """A servable that records every use after its end and every end during its use."""

    def __init__(self, name: str, version: int, text: str) -> None:
        self.name, self.version, self.text = name, version, text
        self.closed = 0
        self.wrong: list[str] = []
        self._users = 0
        self._lock = threading.Lock()

    @contextmanager
    def used(self):
        with self._lock:
            self._users += 1
            if self.closed:
                self.wrong.append("used after it was closed")
        yield self.text
        with self._lock:
            self._users -= 1
            if self.closed:
                self.wrong.append("closed while it was used")

    def close(self) -> None:
        with self._lock:
            self.closed += 1
            if self._users or self.closed > 1:
                self.wrong.append(f"closed {self.closed} times, with {self._users} users")


class TextLoader:
    """Loads and records TextServables, and fails if the text is `broken`."""

    def __init__(self) -> None:
        self.loaded: list[TextServable] = []
        self.attempts: list[int] = []
        self.running = 0
        self.most_at_once = 0
        self._gates: dict[int, threading.Event] = {}
        self._lock = threading.Lock()

    def hold_up(self, version: int) -> threading.Event:
        """Makes loads of this version wait until the event is set."""
        return self._gates.setdefault(version, threading.Event())

    def __call__(self, name: str, version: int, path: str) -> TextServable:
        with self._lock:
            self.attempts.append(version)
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
        try:
            if version in self._gates:
                assert self._gates[version].wait(SECONDS)
            text = (Path(path) / "text").read_text()
            if text == BROKEN:
                raise ServingError(grpc.StatusCode.NOT_FOUND, f"nothing to load in version {version}")
            servable = TextServable(name, version, text)
            self.loaded.append(servable)
            return servable
        finally:
            with self._lock:
                self.running -= 1

    def wrong(self) -> list[str]:
        return [wrong for servable in self.loaded for wrong in servable.wrong]

    def open(self) -> list[int]:
        return sorted(servable.version for servable in self.loaded if not servable.closed)


class Events:
    """Records all published state changes."""

    def __init__(self) -> None:
        self.all: list[StateChange] = []
        self._changed = threading.Condition()

    def __call__(self, event: StateChange) -> None:
        with self._changed:
            self.all.append(event)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Waits until a condition holds after a state change."""
        with self._changed:
            assert self._changed.wait_for(condition, SECONDS), self.states()

    def wait_for_state(self, version: int, state: ServableState) -> None:
        self.wait_for(lambda: self.states(version)[-1:] == [state.name])

    def states(self, version: int | None = None) -> list[str]:
        return [event.state.name for event in self.all if version in (None, event.version)]


def spec(name: str = "m", version: int | None = None, label: str = "") -> ModelSpec:
    asked = ModelSpec(name=name)
    if version is not None:
        asked.version.value = version
    if label:
        asked.version_label = label
    return asked


def model(base_path: Path, name: str = "m", *, specific: list[int] | None = None, **labels: int) -> ModelConfig:
    config = ModelConfig(name=name, base_path=str(base_path), model_platform="tensorflow", version_labels=labels)
    if specific is not None:
        config.model_version_policy.specific.versions.extend(specific)
    return config


def listed(*models: ModelConfig) -> ModelServerConfig:
    config = ModelServerConfig()
    config.model_config_list.SetInParent()
    config.model_config_list.config.extend(models)
    return config

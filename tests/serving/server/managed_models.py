"""Managers of text servables, and threads of continuous requests."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from text_servables import SECONDS, Events, TextLoader, listed, model, push, spec

from serving.server.errors import ServingError
from serving.server.models.lifecycle import ServableState
from serving.server.models.manager import ModelManager

POLL = 0.005


class Harness:
    """Makes managers of a model `m`."""

    def __init__(self, folder: Path) -> None:
        self.base_path, self.load, self.events = folder / "m", TextLoader(), Events()
        self.base_path.mkdir()
        self.managers: list[ModelManager] = []

    def manager(self, **options: Any) -> ModelManager:
        options = {"poll_seconds": POLL, "load_retries": 0, "retry_seconds": 0.01, **options}
        manager = ModelManager(self.load, **options)
        manager.on_state_change(self.events)
        self.managers.append(manager)
        return manager

    def started(self, *versions: int, config: ModelServerConfig | None = None, **options: Any) -> ModelManager:
        for version in versions:
            push(self.base_path, version)
        manager = self.manager(**options)
        manager.start(config or self.all(), wait=bool(versions))
        if config is None:
            self.events.wait_for(lambda: manager.available() == {"m": sorted(versions)})
        return manager

    def all(self, **labels: int) -> ModelServerConfig:
        config = listed(model(self.base_path, **labels))
        config.model_config_list.config[0].model_version_policy.all.SetInParent()
        return config

    def specific(self, *versions: int, **labels: int) -> ModelServerConfig:
        return listed(model(self.base_path, specific=list(versions), **labels))


def failure(function: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(ServingError) as raised:
        function()
    return raised.value.code, raised.value.message


def lookup(manager: ModelManager, *args: Any, **kwargs: Any) -> int:
    with manager.lookup(spec(*args, **kwargs)) as servable:
        return servable.version


def statuses(manager: ModelManager, version: int | None = None) -> list[tuple[int, str, int, str]]:
    response = manager.status(GetModelStatusRequest(model_spec=spec(version=version)))
    return [
        (one.version, ServableState(one.state).name, one.status.error_code, one.status.error_message)
        for one in response.model_version_status
    ]


class Traffic:
    """Threads that continuously look up, use and release versions, and record all failures."""

    def __init__(self, manager: ModelManager, *asked: dict[str, Any]) -> None:
        self.served: dict[int, int] = {}
        self.failures: list[Exception] = []
        self._manager = manager
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[one]) for one in asked]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()

    def _run(self, asked: dict[str, Any]) -> None:
        dice = random.Random(str(asked))  # noqa: S311 - no secrets here
        held: list[Any] = []
        try:
            while not self._done.is_set():
                with self._manager.lookup(spec(**asked)) as servable, servable.used():
                    self.served[servable.version] = self.served.get(servable.version, 0) + 1
                    if dice.random() < 0.2:
                        time.sleep(dice.random() * 0.005)
                # Requests also overlap within a thread, as in an event loop.
                if len(held) < 3 and dice.random() < 0.1:
                    held.append(self._manager.lookup(spec(**asked)))
                    held[-1].__enter__()
                elif held and dice.random() < 0.2:
                    held.pop(dice.randrange(len(held))).__exit__(None, None, None)
        except Exception as error:
            self.failures.append(error)
        for context in held:
            context.__exit__(None, None, None)

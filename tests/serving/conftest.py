"""Read-only models, written once per session, and one real server for all tests of the client.

`tiny_models.push` makes versions of the models.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_models
from client_workspace import Workspace, write_workspace
from running_server import RunningServer, running_server

from serving.client import Client


@pytest.fixture(scope="session")
def half_plus_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half_plus_two")
    tiny_models.write_half_plus_two(path)
    return path


@pytest.fixture(scope="session")
def half_plus_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half_plus_three")
    tiny_models.write_half_plus_two(path, bias=3.0)
    return path


@pytest.fixture(scope="session")
def shared_input(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shared_input") / "model"
    tiny_models.write_shared_input(path)
    return path


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("broken")
    tiny_models.write_broken(path)
    return path


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes 300 ms."""
    path = tmp_path_factory.mktemp("slow")
    tiny_models.write_slow(path, 300)
    return path


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write_workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session")
def server(workspace: Workspace) -> Iterator[RunningServer]:
    flags = [f"--model_config_file={workspace.models}/models.config", "--allow_version_labels_for_unavailable_models"]
    with running_server(*flags) as running:
        wait_until_all_are_available(running.target)
        yield running


def wait_until_all_are_available(target: str) -> None:
    # A server opens its ports with the newest version of each model; others may still load.
    end = time.monotonic() + 60.0
    with Client(target) as client:
        while {status.state for status in client.status()} != {"AVAILABLE"}:
            assert time.monotonic() < end, client.status()
            time.sleep(0.05)


@pytest.fixture(scope="session", params=["grpc", "rest"])
def target(request: pytest.FixtureRequest, server: RunningServer) -> str:
    return server.target if request.param == "grpc" else server.url

"""One real server for all tests of the client."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from client_workspace import Workspace, write_workspace
from running_server import RunningServer, running_server

from serving.client import Client


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
    # A server serves as soon as it has the newest version of each model.
    end = time.monotonic() + 60.0
    with Client(target) as client:
        while {status.state for status in client.status()} != {"AVAILABLE"}:
            assert time.monotonic() < end, client.status()
            time.sleep(0.05)


@pytest.fixture(scope="session", params=["grpc", "rest"])
def target(request: pytest.FixtureRequest, server: RunningServer) -> str:
    return server.target if request.param == "grpc" else server.url

"""The embedded server in its own process, on free ports."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from serving.launch import launched_server


@dataclass(frozen=True)
class RunningServer:
    """A running server; `rest_port` is None if REST is off."""

    grpc_port: int
    rest_port: int | None
    process: subprocess.Popen[str]

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    def wait_for(self, model: str, *versions: int, state: str = "AVAILABLE") -> None:
        """Waits for a state of these versions; the ports open with the first version of each model."""
        for version in versions:
            address = f"{self.url}/v1/models/{quote(model)}/versions/{version}"
            end = time.monotonic() + 60
            while f'"{state}"' not in httpx.get(address, timeout=20).text:
                assert time.monotonic() < end, f"{address} was not {state} within a minute"
                time.sleep(0.1)


@contextmanager
def running_server(*flags: str) -> Iterator[RunningServer]:
    """Starts a server, yields it when it serves, and stops it. Share it: its start takes 4 s."""
    with launched_server(*flags) as server:
        rest_port = int(server.rest.rpartition(":")[2]) if server.rest else None
        yield RunningServer(int(server.target.rpartition(":")[2]), rest_port, server.process)

"""Both APIs of a server in this process, with small limits, for tests of clients that misbehave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.server.api.backend import Backend
from serving.server.api.grpc_api import grpc_server
from serving.server.api.monitoring import Metrics
from serving.server.api.rest_api import rest_app
from serving.server.config.flag_files import BatchingParameters
from serving.server.execution.batching import Batch, Batcher
from serving.server.execution.request_memory import MemoryBudget
from serving.server.execution.servable import Servable
from serving.server.http_server import HttpLimits, HttpServer
from serving.server.listening import add_port, bind, connection_limits, listen
from serving.server.models.manager import ModelManager

MOST = 4
SECONDS = 0.5  # that clients may be silent
MAX_BODY = 2**22
EACH, TOGETHER = 2**24, 2**25


@dataclass
class LimitedServer:
    """A running server."""

    grpc_port: int
    rest_port: int
    runs: list[Batch]
    batcher: Batcher
    memory: MemoryBudget
    connections: set[Any]  # of REST
    problems: list[dict[str, Any]]  # of the event loop


@contextmanager
def limited_server(models: Path) -> Iterator[LimitedServer]:
    """Serves the models in the subfolders of a folder."""
    config = ModelServerConfig()
    for base_path in models.iterdir():
        config.model_config_list.config.add(name=base_path.name, base_path=str(base_path), model_platform="tensorflow")
    runs: list[Batch] = []
    metrics = Metrics(lambda _: True)
    batcher = Batcher(BatchingParameters(num_batch_threads=1), observe=runs.append)
    manager = ModelManager(Servable.load, poll_seconds=0, load_retries=0)
    memory = MemoryBudget(EACH, TOGETHER)
    ready: Future[tuple[LimitedServer, asyncio.Event]] = Future()

    async def serve() -> None:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
        stop = asyncio.Event()
        backend = Backend(manager, batcher, metrics, memory)
        over_grpc = await grpc_server(
            backend,
            max_request_bytes=EACH,
            with_health=False,
            message_seconds=SECONDS,
            arguments=connection_limits(MOST, SECONDS),
        )
        grpc_port = add_port(over_grpc, "127.0.0.1:0", None)
        await over_grpc.start()
        with bind("127.0.0.1", 0) as rest:
            rest_port = int(listen(rest, "127.0.0.1").rpartition(":")[2])
            app = rest_app(backend, timeout=20.0, max_request_bytes=MAX_BODY, metrics_path=None)
            over_rest = HttpServer(app, rest, HttpLimits(MOST, SECONDS))
            connections = over_rest.server_state.connections
            running = LimitedServer(grpc_port, rest_port, runs, batcher, memory, connections, problems)
            ready.set_result((running, stop))
            await stop.wait()
            await asyncio.gather(over_grpc.stop(1), over_rest.stop(1))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    try:
        manager.start(config, wait=True)
        thread.start()
        server, stop = ready.result(20)
        yield server
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
    finally:
        manager.stop()
        batcher.close()
        loop.close()

"""The server process: loads the models, serves both APIs in one event loop, and shuts down in order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc

from imdb_core.errors import RunError, SettingsError
from serving.releases.errors import ReleaseError
from serving.releases.signing import signature_check
from serving.server.api.backend import Backend
from serving.server.api.grpc_api import grpc_server
from serving.server.api.monitoring import Metrics
from serving.server.api.rest_api import BYTES_PER_JSON_BYTE, rest_app
from serving.server.config.flag_files import SslConfig
from serving.server.config.options import ServerOptions
from serving.server.errors import ServingError, failed_precondition
from serving.server.execution.batching import Batcher
from serving.server.execution.process_memory import keep_from_collector
from serving.server.execution.request_memory import MemoryBudget
from serving.server.execution.servable import Servable
from serving.server.execution.warmup import WARMUP_FILE, warm_up
from serving.server.http_server import HttpLimits, HttpServer
from serving.server.listening import add_port, address, bind, connection_limits, listen
from serving.server.models.manager import ModelManager
from serving.server.models.served_model import Load
from serving.server.open_files import AcceptWarning, allow_connections

_DRAIN_SECONDS: Final = 20


def run(options: ServerOptions) -> int:
    """Serves until SIGTERM or SIGINT, and returns the exit status, 0.

    Raises:
        ReviewPipelineError: The server cannot start.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)
    keep_from_collector()
    return asyncio.run(serve(options))


async def serve(options: ServerOptions) -> int:
    """Loads the models, opens the ports and prints the addresses; see `run`.

    After a signal, the server refuses new requests, answers the running ones for up to 20 seconds, and unloads the
    models.
    """
    # Loading takes long; faults in these files and ports in use are reported first.
    tls, metrics_path = options.ssl_config(), options.prometheus_path()
    check = signature_check(Path(options.require_signature)) if options.require_signature else None
    for port in (options.port, options.rest_api_port):
        bind(options.host, port).close()
    stop = _stop_signal()
    asyncio.get_running_loop().set_exception_handler(AcceptWarning())
    metrics = Metrics(lambda name: manager.is_model(name))  # noqa: PLW0108 - `manager` is made later
    batcher = Batcher(
        options.batching_parameters(), max_rows_per_run=options.max_rows_per_run or None, observe=metrics.batch
    )
    manager = ModelManager(
        _loader(options, metrics, batcher, check),
        poll_seconds=options.file_system_poll_wait_seconds,
        load_retries=options.max_num_load_retries,
        retry_seconds=options.load_retry_seconds,
        load_threads=options.num_load_threads,
        allow_labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
    )
    backend = Backend(manager, batcher, metrics, MemoryBudget(options.max_tensor_bytes, options.max_pending_bytes))
    try:
        if await _loaded(manager, options, stop):
            await _answer_until(stop, backend, options, tls, metrics_path)
    except ServingError as error:
        kind = SettingsError if error.code is grpc.StatusCode.INVALID_ARGUMENT else RunError
        raise kind(f"the server cannot start: {error.message}") from None
    finally:
        await asyncio.to_thread(manager.stop)
        await asyncio.to_thread(backend.batcher.close)
    return 0


def _stop_signal() -> asyncio.Event:
    """Returns an event that the first SIGTERM or SIGINT sets; a second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handle() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # Python's own handler of SIGINT would print a traceback

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle)
    return stop


def _loader(
    options: ServerOptions, metrics: Metrics, batcher: Batcher, check: Callable[[Path], None] | None = None
) -> Load:
    """Returns the function that loads a version from its name, number and folder, and warms it up.

    `check` raises a ReleaseError for a folder that must not be loaded.
    """

    def load(name: str, version: int, path: str) -> Servable:
        if check is not None:
            try:
                check(Path(path))
            except ReleaseError as error:
                raise failed_precondition(str(error)) from None
        with batcher.core_for_load():
            servable = Servable.load(
                name, version, path, tags=options.tags, checks_methods=options.enable_signature_method_name_check
            )
            if options.enable_model_warmup and Path(path, WARMUP_FILE).exists():
                try:
                    with metrics.warmup(path):
                        warm_up(servable, max(1, options.num_request_iterations_for_warmup))
                except BaseException:
                    servable.close()
                    raise
            return servable

    return load


async def _loaded(manager: ModelManager, options: ServerOptions, stop: asyncio.Event) -> bool:
    """Waits until all models are available; returns False if a signal arrives first."""
    loading = asyncio.create_task(
        asyncio.to_thread(
            manager.start,
            options.model_server_config(),
            wait=True,
            config_file=Path(options.model_config_file) if options.model_config_file else None,
            config_file_poll_seconds=options.model_config_file_poll_wait_seconds,
        )
    )
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not stop.is_set():
        await loading
        return True
    await asyncio.to_thread(manager.stop, 0)  # the caller waits for what is being loaded
    with suppress(ServingError):  # UNAVAILABLE, because the manager is stopped
        await loading
    return False


async def _answer_until(
    stop: asyncio.Event, backend: Backend, options: ServerOptions, tls: SslConfig | None, metrics_path: str | None
) -> None:
    most = allow_connections(options.max_connections)
    over_grpc = await grpc_server(
        backend,
        max_request_bytes=min(options.max_request_bytes, options.max_tensor_bytes),
        with_health=options.enable_grpc_healthcheck_service,
        with_deadlines=options.enforce_session_run_timeout,
        message_seconds=options.client_seconds,
        arguments=(
            *connection_limits(most, options.client_seconds),
            *options.channel_arguments.items(),
        ),
    )
    # A REST port of 0 means no REST, as in TensorFlow Serving; with a gRPC port of 0, it means any free port.
    rest_port = bind(options.host, options.rest_api_port) if options.rest_api_port or not options.port else None
    # Closes the port whatever goes wrong.
    with rest_port or contextlib.nullcontext():
        places = []
        if options.grpc_socket_path:
            places.append(f"unix:{options.grpc_socket_path}")
            add_port(over_grpc, places[0], None)
        grpc_port = add_port(over_grpc, address(options.host, options.port), tls)
        places.append(f"grpc://{address(options.host, grpc_port)}")

        await over_grpc.start()
        drains = [over_grpc.stop]
        if rest_port is not None:
            places.append(f"http://{listen(rest_port, options.host)}")
            app = rest_app(
                backend,
                timeout=options.rest_api_timeout_in_ms / 1000,
                max_request_bytes=min(options.max_request_bytes, options.max_tensor_bytes // BYTES_PER_JSON_BYTE),
                metrics_path=metrics_path,
                cors=options.rest_api_enable_cors_support,
            )
            limits = HttpLimits(most, options.client_seconds)
            drains.append(HttpServer(app, rest_port, limits).stop)
        print(f"Serving {_models(backend.servables.available())} on {', '.join(places)}", flush=True)
        await stop.wait()
        await asyncio.gather(*(drain(_DRAIN_SECONDS) for drain in drains))


def _models(available: dict[str, list[int]]) -> str:
    models = (
        f"{name} version{'s' * (len(versions) > 1)} {' and '.join(map(str, versions))}"
        for name, versions in available.items()
    )
    return ", ".join(models) or "no model"

"""The server as a process: models, both APIs in one event loop, and an orderly end."""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

import grpc
import uvicorn

from components.errors import RunError, SettingsError
from serving.server.backend import Backend
from serving.server.batching import Batcher
from serving.server.errors import StatusError
from serving.server.grpc_api import grpc_server
from serving.server.manager import ModelManager
from serving.server.monitoring import Metrics
from serving.server.options import ServerOptions
from serving.server.rest_api import rest_app
from serving.server.servable import Servable
from serving.server.warmup import WARMUP_FILE, warm_up

_DRAIN_SECONDS: Final = 20
_BACKLOG: Final = 2048
# Longer than clients keep theirs, or they would now and then write to a connection that is just being closed.
_KEEP_ALIVE_SECONDS: Final = 120


def run(options: ServerOptions) -> int:
    """Serves until SIGTERM or SIGINT.

    Args:
        options: of the command line.

    Returns:
        The exit status: 0.

    Raises:
        ReviewPipelineError: it cannot start; the message says why.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)
    return asyncio.run(serve(options))


async def serve(options: ServerOptions) -> int:
    """Loads the models, then opens the ports and prints where; see `run`.

    After the signal no new request is taken; those that have come are answered, for up to 20 seconds. Then the models
    are unloaded.
    """
    stop = _stop_signal()
    for port in {options.port, options.rest_api_port}:
        _bound(options.host, port).close()  # better known before the models are loaded
    metrics = Metrics(lambda name: manager.is_model(name))  # noqa: PLW0108 - the manager needs the metrics first
    manager = ModelManager(
        _loader(options, metrics),
        poll_seconds=options.file_system_poll_wait_seconds,
        load_retries=options.max_num_load_retries,
        retry_seconds=options.load_retry_seconds,
        allow_labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
    )
    backend = Backend(manager, Batcher(options.batching_parameters(), observe=metrics.batch), metrics)
    try:
        if await _loaded(manager, options, stop):
            await _answer_until(stop, backend, options)
    except StatusError as error:
        kind = SettingsError if error.code is grpc.StatusCode.INVALID_ARGUMENT else RunError
        raise kind(f"the server cannot start: {error.message}") from None
    finally:
        await asyncio.to_thread(manager.stop)
        await asyncio.to_thread(backend.batcher.close)
    return 0


def _stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; the second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handle() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle)
    return stop


def _loader(options: ServerOptions, metrics: Metrics) -> Callable[[str, int, str], Servable]:
    slots = threading.Semaphore(options.num_load_threads) if options.num_load_threads else nullcontext()

    def load(name: str, version: int, path: str) -> Servable:
        with slots:
            servable = Servable.load(name, version, path)
            if options.enable_model_warmup and Path(path, WARMUP_FILE).exists():
                try:
                    with metrics.warmup(path):
                        warm_up(servable)
                except StatusError:
                    servable.close()
                    raise
            return servable

    return load


async def _loaded(manager: ModelManager, options: ServerOptions, stop: asyncio.Event) -> bool:
    """Waits until all models can be asked; False if the signal came first."""
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
    await asyncio.to_thread(manager.stop)
    with suppress(StatusError):  # that it was stopped
        await loading
    return False


async def _answer_until(stop: asyncio.Event, backend: Backend, options: ServerOptions) -> None:
    over_grpc = await grpc_server(
        backend,
        max_request_bytes=options.max_request_bytes,
        with_health=options.enable_grpc_healthcheck_service,
        with_deadlines=options.enforce_session_run_timeout,
        arguments=tuple(options.channel_arguments.items()),
    )
    places = [f"unix:{options.grpc_socket_path}"] if options.grpc_socket_path else []
    for path in places:
        _listen(over_grpc, path, None)
    port = _listen(over_grpc, _address(options.host, options.port), _credentials(options))
    places.append(f"grpc://{_address(options.host, port)}")
    await over_grpc.start()
    drained = [over_grpc.stop]

    # Where gRPC may have any port, so may REST; else 0 is TensorFlow Serving's way to say none.
    if options.rest_api_port or not options.port:
        listening = _bound(options.host, options.rest_api_port)
        listening.listen(_BACKLOG)
        over_rest = _RestServer(backend, options, listening)
        places.append(f"http://{_address(options.host, listening.getsockname()[1])}")
        drained.append(over_rest.stop)

    print(f"Serving {_models(backend.servables.available())} on {', '.join(places)}", flush=True)
    await stop.wait()
    await asyncio.gather(*(drain(_DRAIN_SECONDS) for drain in drained))


class _RestServer(uvicorn.Server):
    """Answers over HTTP from now on."""

    def __init__(self, backend: Backend, options: ServerOptions, listening: socket.socket) -> None:
        app = rest_app(
            backend,
            timeout=options.rest_api_timeout_in_ms / 1000,
            max_request_bytes=options.max_request_bytes,
            metrics_path=options.prometheus_path(),
        )
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            )
        )
        self._serving = asyncio.create_task(self.serve([listening]))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the process: there is more to end than this server."""
        yield

    async def stop(self, seconds: int) -> None:
        """Ends when all requests are answered, or after some seconds."""
        self.config.timeout_graceful_shutdown = seconds
        self.should_exit = True
        await self._serving


def _bound(host: str, port: int) -> socket.socket:
    """A socket with a port.

    Raises:
        RunError: there is no such address, or the port is taken.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise _cannot_listen(_address(host, port), error.strerror) from None
    return bound


def _listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as error:
        raise _cannot_listen(address, str(error)) from None
    return int(port)


def _cannot_listen(address: str, reason: str | None) -> RunError:
    return RunError(f"cannot listen on {address}: {reason}; give another --port, --rest_api_port or --host")


def _credentials(options: ServerOptions) -> grpc.ServerCredentials | None:
    tls = options.ssl_config()
    if tls is None:
        return None
    return grpc.ssl_server_credentials(
        [(tls.server_key, tls.server_cert)],
        root_certificates=tls.custom_ca or None,
        require_client_auth=tls.client_verify,
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _models(available: dict[str, list[int]]) -> str:
    return ", ".join(
        f"{name} version{'s' * (len(versions) > 1)} {' and '.join(map(str, versions))}"
        for name, versions in available.items()
    )

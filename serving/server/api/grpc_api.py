"""TensorFlow Serving's gRPC API: PredictionService, ModelService, health and reflection."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServicerContext
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigResponse

from serving.server.api.backend import Backend
from serving.server.errors import TRUNCATED, ServingError, unexpected
from serving.server.models.manager import ModelManager

# TensorFlow Serving registers short names, not `tensorflow.serving.PredictionService`.
_HEALTH_NAMES: Final = ("", "ModelService", "PredictionService")
_LONGEST_MESSAGE: Final = 2048


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]  # no types
    """The RPCs of `prediction_service.proto`; `grpc_server` describes the arguments."""

    def __init__(self, backend: Backend, *, with_deadlines: bool) -> None:
        self._backend = backend
        self._with_deadlines = with_deadlines

    async def Predict(self, request: Any, context: ServicerContext) -> Any:
        """Runs a signature on tensors."""
        return await self._counted("Predict", request, context)

    async def Classify(self, request: Any, context: ServicerContext) -> Any:
        """Runs a classification signature on tf.Examples."""
        return await self._counted("Classify", request, context)

    async def Regress(self, request: Any, context: ServicerContext) -> Any:
        """Runs a regression signature on tf.Examples."""
        return await self._counted("Regress", request, context)

    async def MultiInference(self, request: Any, context: ServicerContext) -> Any:
        """Runs several signatures on the same tf.Examples."""
        async with _StatusFor(context):
            return await self._backend.answer("MultiInference", request, self._deadline(context))

    async def GetModelMetadata(self, request: Any, context: ServicerContext) -> Any:
        """Describes a model's signatures."""
        async with _StatusFor(context):
            return self._backend.get_model_metadata(request)

    async def _counted(self, api: str, request: Any, context: ServicerContext) -> Any:
        async with _StatusFor(context):
            with self._backend.metrics.request(request.model_spec.name, api, "GRPC"):
                return await self._backend.answer(api, request, self._deadline(context))

    def _deadline(self, context: ServicerContext) -> float | None:
        return _deadline(context) if self._with_deadlines else None


class ModelService(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]  # no types
    """The RPCs of `model_service.proto`."""

    def __init__(self, servables: ModelManager) -> None:
        self._servables = servables
        # Separate threads: a reload that waits for a model's first version must not block other work.
        self._threads = ThreadPoolExecutor(8, "reload")

    async def GetModelStatus(self, request: Any, context: ServicerContext) -> Any:
        """Reports the state of a model's versions."""
        async with _StatusFor(context):
            return self._servables.status(request)

    async def HandleReloadConfigRequest(self, request: Any, context: ServicerContext) -> ReloadConfigResponse:
        """Replaces the config and answers when its models are loaded; failures are statuses, not responses."""
        async with _StatusFor(context):
            waiting = self._threads.submit(self._servables.reload, request.config, _deadline(context))
            await asyncio.wrap_future(waiting)
        response = ReloadConfigResponse()
        response.status.error_code = grpc.StatusCode.OK.value[0]
        return response


async def grpc_server(
    backend: Backend,
    *,
    max_request_bytes: int,
    with_health: bool,
    with_deadlines: bool = True,
    message_seconds: float | None = None,
    arguments: Sequence[tuple[str, int | str]] = (),
) -> grpc.aio.Server:
    """Builds the server, without a port and not started.

    Args:
        backend: Answers the requests.
        max_request_bytes: Maximum size of a message; longer ones are RESOURCE_EXHAUSTED.
        with_health: Whether to serve `grpc.health.v1`. As in TensorFlow Serving, it always answers SERVING; use
            GetModelStatus to check readiness.
        with_deadlines: Whether a client's deadline ends the run of the model.
        message_seconds: Time for a client to send a message; None for no limit.
        arguments: Channel arguments of gRPC, which take precedence over ours.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", max_request_bytes),
            ("grpc.max_send_message_length", -1),  # unlimited
            # A second server on the same port must fail, rather than share the connections at random.
            ("grpc.so_reuseport", 0),
            *arguments,
        ],
    )
    methods = _Methods(message_seconds)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(backend, with_deadlines=with_deadlines), methods
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(backend.servables), methods)
    services = [
        prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name,
        model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
        reflection.SERVICE_NAME,
    ]
    if with_health:
        servicer = health.aio.HealthServicer()
        for name in _HEALTH_NAMES:
            await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, methods)
        services.append(health.SERVICE_NAME)
    reflection.enable_server_reflection(services, server)
    server.add_generic_rpc_handlers((methods,))
    return server


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # no types
    """The methods of the services that are added to it as to a server, with two faults of gRPC for Python mended.

    It answers INTERNAL to bytes that are not a valid message, as the C++ server does, and ends half-sent requests.
    gRPC for Python would answer UNKNOWN and log a traceback, and would wait for the other half for ever. An interceptor
    could do the same, at the price of several coroutines for each request.
    """

    def __init__(self, message_seconds: float | None) -> None:
        self._reads = None if message_seconds is None else _Reads(message_seconds)
        self._services: list[grpc.GenericRpcHandler] = []
        self._known: dict[str, Any] = {}  # path of a method → its handler

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Adds services; called by generated code."""
        self._services += handlers

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Does nothing: generated code adds the same methods by the other method too."""

    def service(self, handler_call_details: Any) -> Any:
        """Returns the handler of a method; None if there is no such method."""
        path = handler_call_details.method
        if path not in self._known:
            found = (service.service(handler_call_details) for service in self._services)
            handler = next((one for one in found if one is not None), None)
            if handler is None:
                return None  # and is not remembered: clients can invent any number of names
            self._known[path] = handler if handler.unary_unary is None else self._mended(handler)
        return self._known[path]

    def _mended(self, handler: Any) -> Any:
        def parse(request: bytes) -> Any:
            try:
                return handler.request_deserializer(request)
            except DecodeError as error:
                return error

        async def answer(_: Any, context: ServicerContext) -> Any:
            request = await self._message(context)
            if isinstance(request, DecodeError) or request is grpc.aio.EOF:
                await context.abort(grpc.StatusCode.INTERNAL, "Error in parsing the request")
            return await handler.unary_unary(request, context)

        # On the wire, a unary request is a stream of one message; only of a stream can the server wait for a time.
        return grpc.stream_unary_rpc_method_handler(answer, parse, handler.response_serializer)

    async def _message(self, context: ServicerContext) -> Any:
        if self._reads is None:
            return await context.read()
        try:
            with self._reads.limited():
                return await context.read()
        except TimeoutError:
            late = f"The request did not arrive within {self._reads.seconds:g} s"
            return await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, late)


class _Reads:
    """Ends reads that take too long, with one timer for all: to set and cancel one for each request takes time.

    Args:
        seconds: Time limit of a read.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started: dict[asyncio.Task[Any], float] = {}  # the oldest first
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Limits the time of its block, which waits for a message; raises TimeoutError when it is over."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a read outside of a task cannot be ended")
        loop = asyncio.get_running_loop()
        self._started[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._end_late, loop)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._late:
                raise TimeoutError from None
            raise
        finally:
            del self._started[task]
            self._late.discard(task)

    def _end_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for task, started in self._started.items():
            end = started + self.seconds
            if end > loop.time():
                self._timer = loop.call_at(end, self._end_late, loop)
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()


def _deadline(context: ServicerContext) -> float | None:
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


class _StatusFor:
    """Ends a request with the status of an error that its block raises; a generator would be slower."""

    def __init__(self, context: ServicerContext) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, ServingError):
            await self._context.abort(error.code, _short(error.message))
        elif isinstance(error, Exception):
            failure = unexpected()
            await self._context.abort(failure.code, failure.message)


def _short(message: str) -> str:
    """Cuts a message that clients would refuse: 8 KB are allowed, and a byte beyond ASCII takes three of them."""
    encoded = message.encode(errors="replace")
    if len(encoded) <= _LONGEST_MESSAGE:
        return message
    return encoded[:_LONGEST_MESSAGE].decode(errors="ignore") + TRUNCATED

"""The HTTP port: TensorFlow Serving's REST API, the metrics for Prometheus, and the live page."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import unquote

import grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from serving.server.api import rest_requests, rest_responses
from serving.server.api.backend import Backend
from serving.server.api.live_page import live_page
from serving.server.api.monitoring import CONTENT_TYPE
from serving.server.api.request_body import ClientGoneError, UnreadBodyError, read_body
from serving.server.errors import ServingError, failed_precondition, http_status, invalid_argument, unexpected
from serving.server.execution.calls import SIGNATURE_DEF
from serving.server.execution.signatures import signature_key

# Python's objects take about this many times the memory of the JSON text.
BYTES_PER_JSON_BYTE: Final = 8

_LARGE_BYTES: Final = 2**15
_LARGE_AT_ONCE: Final = 2

_METHODS: Final = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_ROOT: Final = "/v1/"
_ORIGIN: Final = re.compile("https?://")
_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_LARGEST_VERSION: Final = 2**63 - 1

_MODEL: Final = (
    r"(?i:/v1/models)(?:/(?P<name>[^/:]+))?(?:(?i:/versions/)(?P<version>\d+)|(?i:/labels/)(?P<label>[^/:]+))?"
)
_INFERENCE: Final = re.compile(_MODEL + r":(?P<call>classify|regress|predict)", re.ASCII)
_MODEL_STATE: Final = re.compile(_MODEL + r"(?:/(?P<metadata>metadata))?", re.ASCII)

_T = TypeVar("_T")


class RestApi:
    """Answers REST requests; `rest_app` describes the arguments."""

    def __init__(self, backend: Backend, *, timeout: float, max_request_bytes: int, cors: bool) -> None:
        self._backend = backend
        self._timeout = timeout
        self._max_request_bytes = max_request_bytes
        self._headers = _CORS if cors else {}
        self._threads = ThreadPoolExecutor(_LARGE_AT_ONCE, "large JSON")

    async def answer(self, request: Request) -> Response:
        """Answers one request; errors become `{"error": "..."}` with TensorFlow Serving's status."""
        try:
            if not _path(request).lower().startswith(_ROOT):
                return self._error(404, f"Not found: {request.method} {_path(request)}; the models are at /v1/models")
            if request.method == "OPTIONS":
                return self._preflight(request)
            return self._response(200, await self._called(request))
        except UnreadBodyError as error:
            return self._error(error.status, error.message, {"Connection": "close"})
        except ServingError as error:
            return self._error(http_status(error.code), error.message)
        except Exception:
            return self._error(500, unexpected().message)

    def _response(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
        return Response(rest_responses.written(body), status, {**self._headers, **(headers or {})}, "application/json")

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
        return self._response(status, {"error": message}, headers)

    def _preflight(self, request: Request) -> Response:
        """Answers what a browser asks before it sends a page's request to another server."""
        if not _ORIGIN.match(request.headers.get("origin", "")):
            raise failed_precondition("Origin header is missing in CORS preflight")
        return Response(None, 200, self._headers)

    async def _called(self, request: Request) -> dict[str, Any]:
        path = _path(request)
        inference = _INFERENCE.fullmatch(path) if request.method == "POST" else None
        if inference and inference["name"]:
            with contextlib.ExitStack() as memory:
                body = await self._body(request, memory)
                spec, call = _model_spec(inference), inference["call"]
                with self._backend.metrics.request(spec.name, call, "REST"):
                    return await self._in_time(self._infer(call, spec, body), request)
        state = _MODEL_STATE.fullmatch(path) if request.method == "GET" else None
        if not state:
            raise invalid_argument(f"Malformed request: {request.method} {path}")
        if not state["name"]:
            raise invalid_argument("Missing model name in request.")
        spec = _model_spec(state)
        if state["metadata"]:
            wanted = GetModelMetadataRequest(model_spec=spec, metadata_field=[SIGNATURE_DEF])
            return rest_responses.model_metadata(self._backend.get_model_metadata(wanted))
        return rest_responses.model_status(self._backend.servables.status(GetModelStatusRequest(model_spec=spec)))

    async def _body(self, request: Request, memory: contextlib.ExitStack) -> bytes:
        """Reads the body, and reserves the memory of its values in `memory`."""

        def reserve(size: int) -> None:
            memory.enter_context(self._backend.memory.reserved(BYTES_PER_JSON_BYTE * size))

        return await read_body(request, self._max_request_bytes, reserve)

    async def _in_time(self, answer: Coroutine[Any, Any, dict[str, Any]], request: Request) -> dict[str, Any]:
        """Returns the answer, and drops the work when the time is over or the client gone."""
        answering = asyncio.ensure_future(answer)
        # The body is read, so that there is nothing to receive but the end of the connection.
        leaving = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({answering, leaving}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            if leaving.done():
                raise ClientGoneError
            raise ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, f"Timed out after {self._timeout} seconds")
        finally:
            answering.cancel()
            leaving.cancel()

    async def _infer(self, call: str, spec: ModelSpec, body: bytes) -> dict[str, Any]:
        deadline = time.monotonic() + self._timeout
        document = await self._apart(len(body), rest_requests.parse, body)
        spec.signature_name = document.get(rest_requests.SIGNATURE_NAME, "")
        if call == "predict":
            inputs, rows = await self._apart(len(body), rest_requests.predict_inputs, document, *self._signature(spec))
            request = PredictRequest(model_spec=spec, inputs=inputs)
            predicted = await self._backend.answer("Predict", request, deadline)
            convert = partial(rest_responses.predictions, predicted.outputs, rows=rows)
            return await self._apart(predicted.ByteSize(), convert)
        examples = await self._apart(len(body), rest_requests.examples, document)
        if call == "classify":
            request = ClassificationRequest(model_spec=spec, input=examples)
            return rest_responses.classifications((await self._backend.answer("Classify", request, deadline)).result)
        request = RegressionRequest(model_spec=spec, input=examples)
        return rest_responses.regressions((await self._backend.answer("Regress", request, deadline)).result)

    async def _apart(self, size: int, function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls a function; for a message of many bytes in a thread, so that the other clients go on meanwhile."""
        if size <= _LARGE_BYTES:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _signature(self, spec: ModelSpec) -> tuple[str, rest_requests.Inputs]:
        name = signature_key(spec)
        with self._backend.servables.lookup(spec) as servable:
            if name not in servable.signatures:
                raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
            return name, servable.signatures[name].inputs


def rest_app(
    backend: Backend, *, timeout: float, max_request_bytes: int, metrics_path: str | None, cors: bool = False
) -> Starlette:
    """Builds the HTTP application.

    Args:
        backend: Answers the calls.
        timeout: Maximum seconds per request.
        max_request_bytes: Maximum size of a body; longer ones are refused with 413.
        metrics_path: URL path of the metrics; None for no metrics.
        cors: Whether answers allow pages of other servers to read them.
    """

    async def metrics(request: Request) -> Response:
        del request
        return Response(backend.metrics.page(), media_type=CONTENT_TYPE)

    api = RestApi(backend, timeout=timeout, max_request_bytes=max_request_bytes, cors=cors)

    async def page(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return await api.answer(request)
        return live_page(backend.servables.available(), backend.servables.labels())

    routes = [Route("/", page, methods=_METHODS), Route("/{path:path}", api.answer, methods=_METHODS)]
    return Starlette(routes=[Route(metrics_path, metrics), *routes] if metrics_path else routes)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _path(request: Request) -> str:
    """Returns the path as the client sent it."""
    path: bytes = request.scope["raw_path"]
    return path.decode("ascii", "replace")


def _model_spec(match: re.Match[str]) -> ModelSpec:
    spec = ModelSpec(name=unquote(match["name"]))
    if match["version"]:
        if len(match["version"]) > len(str(_LARGEST_VERSION)) or int(match["version"]) > _LARGEST_VERSION:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(match["version"])
    if match["label"]:
        spec.version_label = unquote(match["label"])
    return spec

"""Servers on real sockets whose answers a test scripts: errors, delays and invalid answers."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

PROBABILITIES = [[0.25, 0.75]]
HTTP = {"UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 429, "INTERNAL": 500, "INVALID_ARGUMENT": 400}


@dataclass
class Script:
    """Answers in order: `CODE: message`, outputs or `hang`; after the last one, PROBABILITIES for each text."""

    answers: list[str | dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    seconds_left: list[float] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)

    def next(self, texts: int) -> str | dict[str, Any]:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else {"probabilities": PROBABILITIES * texts}
        if answer == "hang":
            self.hanging.wait(30.0)
            return "INTERNAL"
        return answer


@dataclass(frozen=True)
class Scripted:
    target: str
    script: Script


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the RPC's name
        self.script.seconds_left.append(context.time_remaining())
        answer = self.script.next(len(request.inputs["text"].string_val))
        if isinstance(answer, str):
            code, _, message = answer.partition(": ")
            context.abort(grpc.StatusCode[code], message or f"scripted {code}")
        response = predict_pb2.PredictResponse()
        for name, values in answer.items():
            # In `tensor_content`, unlike the answers of the embedded server.
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        response.model_spec.version.value = 7
        return response


@contextmanager
def scripted_grpc(port: int = 0, credentials: grpc.ServerCredentials | None = None) -> Iterator[Scripted]:
    script = Script()
    server = grpc.server(
        futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1)]
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(script), server)
    address = f"localhost:{port}"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield Scripted(f"localhost:{port}", script)
    finally:
        script.hanging.set()
        server.stop(None).wait()


@contextmanager
def scripted_rest(port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = script.next(len(body["inputs"]["text"]))
            if isinstance(answer, str):
                code, _, message = answer.partition(": ")
                status = HTTP.get(code, 200)
                answer = {"error": message or f"scripted {code}"} if code in HTTP else answer
            else:
                status, answer = 200, {"outputs": answer if len(answer) > 1 else next(iter(answer.values()))}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer.encode() if isinstance(answer, str) else json.dumps(answer).encode())

        def do_GET(self) -> None:
            script.asked += 1
            self.send_error(501)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", port), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield Scripted(f"http{'s' if context else ''}://localhost:{server.server_port}", script)
    finally:
        script.hanging.set()
        server.shutdown()
        thread.join()
        server.server_close()


SERVERS: dict[str, Callable[..., Any]] = {"grpc": scripted_grpc, "rest": scripted_rest}

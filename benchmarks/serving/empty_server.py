"""A gRPC server without a model: what Python and gRPC take for a request before anything is done with it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from serving.launch import Server
from serving.server.tensors import to_proto

_SERVICE: Final = "tensorflow.serving.PredictionService"


@contextmanager
def empty_server() -> Iterator[Server]:
    """Starts the server in a process of its own, and stops it in the end.

    It answers each Predict with the same bytes, of the size that an answer for one review has, and reads nothing of
    the request.

    Yields:
        The server, without REST.
    """
    command = [sys.executable, "-m", "benchmarks.serving.empty_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this module
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield Server(f"127.0.0.1:{port}", None, process)
        finally:
            process.terminate()


async def _serve() -> None:
    answer = predict_pb2.PredictResponse()
    answer.outputs["probabilities"].CopyFrom(to_proto(np.full((1, 2), 0.5, np.float32)))
    answer.outputs["label"].CopyFrom(to_proto(np.array([b"negative"], dtype=object)))
    serialized = bytes(answer.SerializeToString())

    async def predict(_request: bytes, _context: object) -> bytes:
        return serialized

    server = grpc.aio.server()
    handlers = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve())

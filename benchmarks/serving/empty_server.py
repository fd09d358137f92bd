"""A gRPC server without a model, which measures the time that Python and gRPC themselves need for a request."""

import asyncio
import sys
from typing import Final

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from imdb_core.lifeline import follow_lifeline
from serving.server.execution.tensors import to_proto

_SERVICE: Final = "tensorflow.serving.PredictionService"


async def _serve() -> None:
    """Answers each Predict unread with the same bytes, as many as a response for one review has."""
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
    print(f"Serving no model: grpc://127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    follow_lifeline(sys.stdin.buffer)
    asyncio.run(_serve())

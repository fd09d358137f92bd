"""Measures what the server does with a request besides gRPC and the model, each step on its own."""

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis import predict_pb2

from serving.server.execution import signatures
from serving.server.execution.request_memory import memory_of
from serving.server.execution.tensors import to_array, write_proto

_REPETITIONS: Final = 5
_CALLS: Final = 1000


def request_parts(request: bytes, response: bytes) -> dict[str, float]:
    """Measures steps in microseconds of CPU time, each the best of several repetitions.

    Args:
        request: A serialized PredictRequest with one input.
        response: The serialized PredictResponse to it.

    Returns:
        JSON: `parsing` the message, `reading` its tensors with all checks, and `answering`: writing and serializing the
        response.
    """
    parsed = predict_pb2.PredictRequest.FromString(request)
    answered = predict_pb2.PredictResponse.FromString(response)
    signature = SignatureDef()
    for alias in parsed.inputs:
        signature.inputs[alias].dtype = parsed.inputs[alias].dtype
    outputs = {alias: to_array(tensor, alias) for alias, tensor in answered.outputs.items()}

    def read() -> None:
        memory_of(parsed)
        signatures.predict_inputs(parsed, signature)

    def answer() -> None:
        made = predict_pb2.PredictResponse(model_spec=answered.model_spec)
        for alias, array in outputs.items():
            write_proto(np.asarray(array), made.outputs[alias])
        made.SerializeToString()

    steps = {"parsing": lambda: predict_pb2.PredictRequest.FromString(request), "reading": read, "answering": answer}
    return {name: min(_microseconds(step) for _ in range(_REPETITIONS)) for name, step in steps.items()}


def _microseconds(step: Callable[[], Any]) -> float:
    started = time.process_time()
    for _ in range(_CALLS):
        step()
    return 1e6 * (time.process_time() - started) / _CALLS

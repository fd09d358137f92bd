"""Warm-up: a new version answers the requests recorded with its model before it answers clients."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Final

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.server.errors import ServingError, from_tensorflow, invalid_argument
from serving.server.execution import calls
from serving.server.execution.servable import Servable
from serving.server.execution.session import session_config
from serving.server.execution.tensors import Arrays

WARMUP_FILE: Final = os.path.join("assets.extra", "tf_serving_warmup_requests")
MAX_RECORDS: Final = 1000


def warm_up(servable: Servable, iterations: int = 1) -> int:
    """Replays the requests in the model's warm-up file, if it has one, and returns their number.

    Args:
        servable: The model.
        iterations: Number of times that each request is replayed.

    Raises:
        ServingError: The file cannot be read, has more than 1,000 records or a record that is not the PredictionLog of
            a predict, classify, regress or multi-inference request, or a request fails.
    """
    path = os.path.join(servable.path, WARMUP_FILE)
    return asyncio.run(_replay(servable, path, iterations)) if tf.io.gfile.exists(path) else 0


async def _replay(servable: Servable, path: str, iterations: int) -> int:
    count = 0
    for count, record in enumerate(_records(path), start=1):
        if count > MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError:
            raise invalid_argument(f"Failed to parse warmup record: {record!r} from {path}") from None
        for _ in range(iterations):
            await _run(log, servable)
    return count


def _records(path: str) -> Iterator[bytes]:
    # In a session, because eager TensorFlow would take all GPUs.
    with tf.Graph().as_default() as graph:
        records = tf.compat.v1.data.make_initializable_iterator(tf.data.TFRecordDataset(path))
        record = records.get_next()
    with tf.compat.v1.Session(graph=graph, config=session_config()) as session:
        session.run(records.initializer)
        while True:
            try:
                read = session.run(record)
            except tf.errors.OutOfRangeError:
                return
            except tf.errors.DataLossError as error:
                raise ServingError(
                    grpc.StatusCode.DATA_LOSS,
                    f"{from_tensorflow(error).message}. Please verify your warmup data is in TFRecord format.",
                ) from None
            except tf.errors.OpError as error:
                raise from_tensorflow(error) from None
            yield read


async def _run(log: prediction_log_pb2.PredictionLog, servable: Servable) -> None:
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    all_calls: dict[str, Callable[..., Awaitable[object]]] = {
        "predict_log": calls.predict,
        "classify_log": calls.classify,
        "regress_log": calls.regress,
        "multi_inference_log": calls.multi_inference,
    }
    if kind not in all_calls:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
    request = getattr(log, kind).request
    if kind != "multi_inference_log":
        request.model_spec.SetInParent()  # a recorded request need not have one
    # A recorded request may name an older version; it runs on the new one.
    await all_calls[kind](request, lambda _: nullcontext(servable), _run_now, None)


async def _run_now(
    servable: Servable, signature: str, inputs: Arrays, outputs: Sequence[str] | None, deadline: float | None
) -> Arrays:
    del deadline  # warm-up has none
    return servable.run(signature, inputs, outputs)

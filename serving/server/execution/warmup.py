"""Warm-up: a new version answers the requests that its model brings along before it answers clients."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import model_pb2, prediction_log_pb2

from serving.server.errors import ServingError, from_tensorflow, invalid_argument
from serving.server.execution import calls
from serving.server.execution.servable import Array, Servable
from serving.server.execution.session import session_config

WARMUP_FILE: Final = os.path.join("assets.extra", "tf_serving_warmup_requests")
MAX_RECORDS: Final = 1000


def warm_up(servable: Servable) -> int:
    """Replays the requests in the model's warm-up file, if it has one.

    Args:
        servable: just loaded.

    Returns:
        How many requests there were.

    Raises:
        ServingError: the file cannot be read, has more than 1,000 records, a record that is no
            classify, regress or multi-inference, or a request that fails.
    """
    path = os.path.join(servable.path, WARMUP_FILE)
    if not tf.io.gfile.exists(path):
        return 0
    return asyncio.run(_replay(servable, path))


class _Only:
    """Looks one servable up, whatever is asked for; recorded requests may name an older version."""

    def __init__(self, servable: Servable) -> None:
        self._servable = servable

    @contextmanager
    def lookup(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        del spec
        yield self._servable


class _AtOnce:
    """Runs a call in the thread that submits it."""

    def submit(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None,
        deadline: float | None,
    ) -> Future[dict[str, Array]]:
        future: Future[dict[str, Array]] = Future()
        timeout = None if deadline is None else deadline - time.monotonic()
        future.set_result(servable.run(signature, inputs, outputs, timeout))
        return future


async def _replay(servable: Servable, path: str) -> int:
    count = 0
    for record in _records(path):
        count += 1
        if count > MAX_RECORDS:
            raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError:
            raise invalid_argument(f"Failed to parse warmup record: {record!r} from {path}") from None
        await _run(log, servable)
    return count


def _records(path: str) -> Iterator[bytes]:
    # In a session: eager TensorFlow would take all GPUs.
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
    models, runner = _Only(servable), _AtOnce()
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        log.predict_log.request.model_spec.SetInParent()  # it need not be recorded
        await calls.predict(log.predict_log.request, models, runner, None)
    elif kind == "classify_log":
        log.classify_log.request.model_spec.SetInParent()  # it need not be recorded
        await calls.classify(log.classify_log.request, models, runner, None)
    elif kind == "regress_log":
        log.regress_log.request.model_spec.SetInParent()  # it need not be recorded
        await calls.regress(log.regress_log.request, models, runner, None)
    elif kind == "multi_inference_log":
        await calls.multi_inference(log.multi_inference_log.request, models, runner, None)
    elif kind is not None:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")

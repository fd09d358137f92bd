"""Metrics for Prometheus, with TensorFlow Serving's names, labels and buckets."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Final

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from serving.server.errors import ServingError
from serving.server.execution.batching import Batch

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX: Final = ":tensorflow:serving:"
_REQUEST_COUNT: Final = f"{_PREFIX}request_count"
_RUN_COUNT: Final = f"{_PREFIX}batching_session:wrapped_run_count"
# The client library appends `_total` to the names of counters; TensorFlow Serving does not.
_TOTAL: Final = re.compile(rf"^((?:# \w+ )?(?:{_REQUEST_COUNT}|{_RUN_COUNT}))_total\b", re.MULTILINE)

# 10 us to 25 minutes, with six significant digits as in TensorFlow.
_MICROSECONDS: Final = [float(f"{10 * 1.8**power:.6g}") for power in range(33)]
_POWERS_OF_TWO: Final = [2.0**power for power in range(15)]
_CHILDREN: Final = 1024


class Metrics:
    """Metrics of the server since its start. All methods are thread-safe.

    Args:
        is_model: Returns whether a model has this name. All other names that clients request count as one, because the
            metrics keep every name forever.
    """

    def __init__(self, is_model: Callable[[str], bool]) -> None:
        self._is_model = is_model
        disable_created_metrics()  # type: ignore[no-untyped-call]  # TensorFlow Serving has no such metrics
        self._registry = CollectorRegistry()
        self._requests = Counter(
            _REQUEST_COUNT, "The total number of requests.", ["model_name", "status"], registry=self._registry
        )
        self._request_latency = self._histogram(
            "request_latency", "Wall time of a request, in microseconds.", ["model_name", "API", "entrypoint"]
        )
        self._runtime_latency = self._histogram(
            "runtime_latency", "Wall time of the TensorFlow runtime, in microseconds.", ["model_name", "API", "runtime"]
        )
        self._warmup_latency = self._histogram(
            "model_warmup_latency", "Wall time of warming up a model, in microseconds.", ["model_path", "status"]
        )
        self._example_counts = self._histogram(
            "request_example_counts", "The number of tensorflow.Examples per request.", ["model"], _POWERS_OF_TWO
        )
        examples = f"{_PREFIX}request_example_count_total"
        self._examples = Counter(
            examples, "The total number of tensorflow.Examples.", ["model"], registry=self._registry
        )
        self._runs = Counter(_RUN_COUNT, "Total count of run calls on the wrapped session.", registry=self._registry)
        self._batch_sizes = self._histogram(
            "batching_session:processed_batch_size", "Rows of a batch.", [], _POWERS_OF_TWO
        )
        self._queueing = self._histogram(
            "batching_session:queuing_latency", "Wall time of a call in the queue, in microseconds.", []
        )
        # `labels` itself is slow for a call on each request. The labels are those of known models.
        self._labelled = lru_cache(_CHILDREN)(lambda metric, *labels: metric.labels(*labels))

    def request(self, model: str, api: str, entrypoint: str) -> AbstractContextManager[None]:
        """Counts a request over `GRPC` or `REST` by its status, and measures its duration if it succeeds."""
        known = model if self._is_model(model) else ""

        def record(status: grpc.StatusCode, microseconds: float) -> None:
            self._labelled(self._requests, known, status.name).inc()
            if status is grpc.StatusCode.OK:
                self._labelled(self._request_latency, known, api, entrypoint).observe(microseconds)

        return _Watched(record)

    def batch(self, batch: Batch) -> None:
        """Records a run of a session."""
        self._runs.inc()
        self._batch_sizes.observe(batch.rows)
        for seconds in batch.queued:
            self._queueing.observe(seconds * 1e6)

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """Records the duration of a successful call, including its time in the queue."""
        self._labelled(self._runtime_latency, model, api, "TF1").observe(seconds * 1e6)

    def examples(self, model: str, count: int) -> None:
        """Records the number of tf.Examples of a classify or regress request."""
        self._example_counts.labels(model).observe(count)
        self._examples.labels(model).inc(count)

    def warmup(self, path: str) -> AbstractContextManager[None]:
        """Measures the duration of warming up the version in a folder."""
        latency = self._warmup_latency
        return _Watched(lambda status, microseconds: latency.labels(path, status.name).observe(microseconds))

    def page(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return _TOTAL.sub(r"\1", generate_latest(self._registry).decode()).encode()

    def _histogram(self, name: str, what: str, labels: list[str], buckets: list[float] = _MICROSECONDS) -> Histogram:
        return Histogram(f"{_PREFIX}{name}", what, labels, buckets=buckets, registry=self._registry)


class _Watched:
    """Calls `record` with the status and the duration, in microseconds, of its block."""

    __slots__ = ("_record", "_start")

    def __init__(self, record: Callable[[grpc.StatusCode, float], None]) -> None:
        self._record = record

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            status = grpc.StatusCode.OK
        elif isinstance(error, ServingError):
            status = error.code
        elif isinstance(error, asyncio.CancelledError):
            status = grpc.StatusCode.CANCELLED
        else:
            status = grpc.StatusCode.INTERNAL
        self._record(status, (time.perf_counter() - self._start) * 1e6)

"""Metrics for Prometheus, by TensorFlow Serving's names, labels and buckets."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import grpc
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from serving.server.errors import ServingError
from serving.server.execution.batching import Batch

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX: Final = ":tensorflow:serving:"
_REQUEST_COUNT: Final = f"{_PREFIX}request_count"
_RUN_COUNT: Final = f"{_PREFIX}batching_session:wrapped_run_count"
# The client library ends each counter's name in `_total`; TensorFlow Serving does not.
_TOTAL: Final = re.compile(rf"^((?:# \w+ )?(?:{_REQUEST_COUNT}|{_RUN_COUNT}))_total\b", re.MULTILINE)

# 10 us to 25 minutes; six digits, as TensorFlow writes them.
_MICROSECONDS: Final = [float(f"{10 * 1.8**power:.6g}") for power in range(33)]
_POWERS_OF_TWO: Final = [2.0**power for power in range(15)]
_NO_MODEL: Final = ""


class Metrics:
    """What the server has done since it started. All methods may be called from any thread.

    Args:
        is_model: whether a name is that of a model. Requests for others count as one: clients choose those names, and
            each would be kept for ever.
    """

    def __init__(self, is_model: Callable[[str], bool]) -> None:
        self._is_model = is_model
        disable_created_metrics()  # type: ignore[no-untyped-call]  # TensorFlow Serving has none
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
        self._examples = Counter(
            f"{_PREFIX}request_example_count_total",
            "The total number of tensorflow.Examples.",
            ["model"],
            registry=self._registry,
        )
        self._runs = Counter(_RUN_COUNT, "Total count of run calls on the wrapped session.", registry=self._registry)
        self._batch_sizes = self._histogram(
            "batching_session:processed_batch_size", "Rows of a batch.", [], _POWERS_OF_TWO
        )

    @contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts a request by its outcome, and takes the time of one that succeeds.

        Args:
            model: that was asked for.
            api: like `Predict`.
            entrypoint: `GRPC` or `REST`.
        """
        start = time.perf_counter()
        outcome = grpc.StatusCode.INTERNAL
        known = model if self._is_model(model) else _NO_MODEL
        try:
            yield
        except ServingError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = grpc.StatusCode.CANCELLED
            raise
        else:
            outcome = grpc.StatusCode.OK
            self._request_latency.labels(known, api, entrypoint).observe(_microseconds(start))
        finally:
            self._requests.labels(known, outcome.name).inc()

    def batch(self, batch: Batch) -> None:
        """Records a run of a session."""
        self._runs.inc()
        self._batch_sizes.observe(batch.rows)

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """Records the time in which a request was run, with all that it waited in a queue."""
        self._runtime_latency.labels(model, api, "TF1").observe(seconds * 1e6)

    def examples(self, model: str, count: int) -> None:
        """Records the number of tf.Examples of a classify or regress request."""
        self._example_counts.labels(model).observe(count)
        self._examples.labels(model).inc(count)

    @contextmanager
    def warmup(self, path: str) -> Iterator[None]:
        """Takes the time of a warm-up.

        Args:
            path: of the version.
        """
        start = time.perf_counter()
        outcome = grpc.StatusCode.INTERNAL
        try:
            yield
        except ServingError as error:
            outcome = error.code
            raise
        else:
            outcome = grpc.StatusCode.OK
        finally:
            self._warmup_latency.labels(path, outcome.name).observe(_microseconds(start))

    def page(self) -> bytes:
        """Writes all metrics in Prometheus' text format."""
        return _TOTAL.sub(r"\1", generate_latest(self._registry).decode()).encode()

    def _histogram(self, name: str, what: str, labels: list[str], buckets: list[float] = _MICROSECONDS) -> Histogram:
        return Histogram(f"{_PREFIX}{name}", what, labels, buckets=buckets, registry=self._registry)


def _microseconds(start: float) -> float:
    return (time.perf_counter() - start) * 1e6

"""Micro-batching: calls that wait at the same time go through the network as one.

Nothing waits for company (unless `batch_timeout_micros` says so): a thread that is free takes what has come in the
meantime. One client alone gets the latency of the network, and under load batches form by themselves.
"""

import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np

from serving.server.config.batching_parameters import BatchingParameters
from serving.server.errors import ServingError
from serving.server.execution.servable import Array, Servable

_TOO_LATE: Final = "Deadline exceeded before the request could be run"

Outputs = dict[str, Array]


@dataclass(frozen=True)
class Batch:
    """What an observer is told about a run of a session.

    Attributes:
        servable: that ran.
        signature: that was called.
        calls: how many of them were merged.
        rows: of all calls together; 1 for a call without a batch dimension.
        seconds: that the session took.
    """

    servable: Servable
    signature: str
    calls: int
    rows: int
    seconds: float


@dataclass(eq=False)
class _Call:
    servable: Servable
    signature: str
    inputs: Mapping[str, Array]
    outputs: tuple[str, ...] | None
    deadline: float | None
    rows: int | None  # None: runs alone
    enqueued: float = field(default_factory=time.monotonic)
    future: Future[Outputs] = field(default_factory=Future)

    @property
    def late(self) -> bool:
        return self.deadline is not None and self.deadline <= time.monotonic()


@dataclass(eq=False)
class _Lane:
    """Calls that can be merged with each other, oldest first."""

    calls: deque[_Call] = field(default_factory=deque)
    rows: int = 0


class Batcher:
    """Runs calls in threads of its own, as many of them at once as fit into a batch.

    Calls are merged if they ask the same outputs of the same signature of the same servable, the signature leaves the
    first dimension of all its inputs and outputs free, and their inputs differ in that dimension alone. All other calls
    run alone, as do those with more rows than `max_batch_size`. What fails as a batch is run again in halves, so that
    one bad request fails alone. Lanes of different calls take turns.

    Args:
        parameters: sizes, times and numbers.
        observe: is told about each run of a session that succeeded, in the thread of the run.
    """

    def __init__(
        self, parameters: BatchingParameters | None = None, *, observe: Callable[[Batch], None] | None = None
    ) -> None:
        self._parameters = parameters or BatchingParameters()
        self._observe = observe
        self._lanes: OrderedDict[Hashable, _Lane] = OrderedDict()
        self._waiting: dict[Servable, int] = {}
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"{self._parameters.thread_pool_name}-{number}", daemon=True)
            for number in range(self._parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None = None,
        deadline: float | None = None,
    ) -> Future[Outputs]:
        """Queues a call; any thread may.

        Args:
            servable: to run. The caller sees to it that it is not closed before the future is done.
            signature: a key of its signatures.
            inputs: an array for each input.
            outputs: which outputs to compute; None for all.
            deadline: of `time.monotonic()`, after which nobody wants the result.

        Returns:
            The future outputs, or ServingError. Cancelling it while it is queued takes the call out.

        Raises:
            ServingError: RESOURCE_EXHAUSTED if too much waits for this servable, UNAVAILABLE after `close`.
        """
        wanted = None if outputs is None else tuple(sorted(outputs))
        shapes = inner_shapes(servable, signature, inputs, wanted)
        rows = None if shapes is None else len(next(iter(inputs.values())))
        if rows == 0 or (rows is not None and rows > self._parameters.max_batch_size):
            rows = None
        call = _Call(servable, signature, inputs, wanted, deadline, rows)
        lane = call if rows is None else (servable, signature, wanted, shapes)
        with self._changed:
            self._admit(call)
            queue = self._lanes.setdefault(lane, _Lane())
            queue.calls.append(call)
            queue.rows += rows or 1
            self._changed.notify()
        return call.future

    def close(self) -> None:
        """Takes no more calls, runs those that wait, and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _admit(self, call: _Call) -> None:
        if self._closed:
            raise ServingError(grpc.StatusCode.UNAVAILABLE, "The server is shutting down")
        most = self._parameters.max_enqueued_batches * self._parameters.max_batch_size
        waiting = self._waiting.get(call.servable, 0) + (call.rows or 1)
        if waiting > most:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "The batch scheduling queue to which this task was submitted is full; "
                f"{most} rows (max_enqueued_batches x max_batch_size) may wait for a version of a model",
            )
        self._waiting[call.servable] = waiting

    def _work(self) -> None:
        while calls := self._next_batch():
            self._run([call for call in calls if call.future.set_running_or_notify_cancel()])

    def _next_batch(self) -> list[_Call]:
        """Waits for calls; none means the end."""
        with self._changed:
            while True:
                now = time.monotonic()
                ripe, wait = self._ripe_lane(now)
                if ripe is not None:
                    return self._take(ripe)
                if self._closed and not self._lanes:
                    return []
                self._changed.wait(wait)

    def _ripe_lane(self, now: float) -> tuple[Hashable | None, float | None]:
        """The lane to run next, or in how many seconds there will be one."""
        patience = 0.0 if self._closed else self._parameters.batch_timeout_micros / 1e6
        wait: float | None = None
        for key, lane in self._lanes.items():
            oldest = lane.calls[0]
            left = oldest.enqueued + patience - now
            if left <= 0 or oldest.rows is None or lane.rows >= self._parameters.max_batch_size:
                return key, None
            wait = left if wait is None else min(wait, left)
        return None, wait

    def _take(self, key: Hashable) -> list[_Call]:
        lane = self._lanes.pop(key)
        taken: list[_Call] = []
        rows = 0
        while lane.calls and rows + (lane.calls[0].rows or 1) <= self._parameters.max_batch_size:
            taken.append(lane.calls.popleft())
            rows += taken[-1].rows or 1
        lane.rows -= rows
        if lane.calls:  # at the end: other lanes are next
            self._lanes[key] = lane
            self._changed.notify()
        servable = taken[0].servable
        self._waiting[servable] -= rows
        if not self._waiting[servable]:
            del self._waiting[servable]
        return taken

    def _run(self, calls: list[_Call]) -> None:
        for call in calls:
            if call.late:
                call.future.set_exception(ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, _TOO_LATE))
        calls = [call for call in calls if not call.future.done()]
        if not calls:
            return
        try:
            results = self._run_merged(calls)
        except Exception as error:  # the caller gets it, whatever it is
            if len(calls) == 1:
                calls[0].future.set_exception(error)
            else:
                half = len(calls) // 2
                self._run(calls[:half])
                self._run(calls[half:])
            return
        for call, outputs in zip(calls, results, strict=True):
            call.future.set_result(outputs)

    def _run_merged(self, calls: Sequence[_Call]) -> list[Outputs]:
        first = calls[0]
        deadlines = [call.deadline for call in calls if call.deadline is not None]
        timeout = max(deadlines) - time.monotonic() if len(deadlines) == len(calls) else None
        rows = sum(call.rows or 1 for call in calls)
        inputs = (
            first.inputs
            if first.rows is None
            else merge([call.inputs for call in calls], self._parameters.padded(rows))
        )
        start = time.monotonic()
        outputs = first.servable.run(first.signature, inputs, first.outputs, timeout)
        if self._observe:
            self._observe(Batch(first.servable, first.signature, len(calls), rows, time.monotonic() - start))
        if first.rows is None:
            return [outputs]
        return split(outputs, [call.rows or 0 for call in calls], self._parameters.padded(rows))


def inner_shapes(
    servable: Servable, signature: str, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None
) -> Hashable | None:
    """Says what must be alike in calls that are merged.

    Args:
        servable: to run.
        signature: a key of its signatures.
        inputs: of the call.
        outputs: that are asked for; None for all.

    Returns:
        Dtypes and inner shapes of the inputs; None if the call cannot be merged with any.
    """
    if not servable.takes_any_rows(signature, outputs):
        return None
    rows = {array.shape[:1] for array in inputs.values()}
    if len(rows) != 1 or () in rows:
        return None
    return tuple(sorted((alias, array.dtype, array.shape[1:]) for alias, array in inputs.items()))


def merge(calls: Sequence[Mapping[str, Array]], rows: int) -> dict[str, Array]:
    """Puts rows after rows.

    Args:
        calls: the inputs of each, of the same inner shapes.
        rows: of the result, at least those of all calls. Where there are not enough the first one is repeated, as
            TensorFlow Serving pads.
    """
    merged = {}
    for alias in calls[0]:
        parts = [call[alias] for call in calls]
        missing = rows - sum(map(len, parts))
        merged[alias] = np.concatenate([*parts, *([parts[0][:1]] * missing)]) if len(parts) + missing > 1 else parts[0]
    return merged


def split(outputs: Outputs, sizes: Sequence[int], rows: int) -> list[Outputs]:
    """Gives every call its rows.

    Args:
        outputs: of all calls together.
        sizes: rows of each call.
        rows: that the signature ran with, padding included.

    Raises:
        ServingError: FAILED_PRECONDITION; the signature does not keep what it says about its outputs.
    """
    if len(sizes) == 1 and sizes[0] == rows:
        return [outputs]
    for array in outputs.values():
        if array.shape[:1] != (rows,):
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
            )
    ends = list(itertools.accumulate(sizes))
    return [
        {alias: array[end - size : end] for alias, array in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]

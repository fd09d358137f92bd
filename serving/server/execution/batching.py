"""Micro-batching: calls that wait at the same time go through the network as one batch.

A free thread takes all calls that have arrived in the meantime; it waits for more only if `batch_timeout_micros` is
set. A single client thus gets the latency of the network, and batches form under load.
"""

import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np

from serving.server.config.flag_files import BatchingParameters
from serving.server.errors import ServingError, failed_precondition
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays

_TOO_LATE: Final = "Deadline exceeded before the request could be run"


@dataclass(frozen=True)
class Batch:
    """A run of a session, as reported to the observer."""

    servable: Servable
    signature: str
    calls: int  # number of merged calls
    rows: int  # of all calls; a call without a batch dimension counts as one
    seconds: float


@dataclass(eq=False)
class _Call:
    servable: Servable
    signature: str
    inputs: Arrays
    outputs: tuple[str, ...] | None
    deadline: float | None
    rows: int | None  # None for a call that runs alone
    enqueued: float = field(default_factory=time.monotonic)
    future: Future[Arrays] = field(default_factory=Future)

    @property
    def late(self) -> bool:
        return self.deadline is not None and self.deadline <= time.monotonic()


@dataclass(eq=False)
class _Lane:
    """Calls that can be merged with each other, the oldest first."""

    calls: deque[_Call] = field(default_factory=deque)
    rows: int = 0


class Batcher:
    """Runs calls in its own threads, merged into batches.

    Calls are merged if they want the same outputs of the same signature of the same servable, the signature accepts
    any number of rows, and their inputs differ in the first dimension only. All other calls run alone, as do calls
    with more rows than `max_batch_size`. Calls that can be merged form a lane, and lanes take turns. A batch that fails
    is run again in halves, so that one bad request fails alone.

    Args:
        parameters: Sizes, times and limits.
        observe: Receives each successful run of a session, in the thread of the run.
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
        inputs: Arrays,
        outputs: Sequence[str] | None = None,
        deadline: float | None = None,
    ) -> Future[Arrays]:
        """Queues a call. This method is thread-safe.

        Args:
            servable: The version to run; the caller keeps it open until the future is done.
            signature: Key of the signature.
            inputs: An array for each input.
            outputs: The outputs to compute; None for all.
            deadline: Time by `time.monotonic()` after which the result is not needed; None for no limit.

        Returns:
            The future outputs, or ServingError. Cancelling the future removes a queued call.

        Raises:
            ServingError: RESOURCE_EXHAUSTED if too many rows wait for this servable, UNAVAILABLE after `close`.
        """
        wanted = None if outputs is None else tuple(sorted(outputs))
        lane = _lane_key(servable, signature, inputs, wanted)
        rows = None if lane is None else len(next(iter(inputs.values())))
        if rows is not None and not 0 < rows <= self._parameters.max_batch_size:
            rows = None
        call = _Call(servable, signature, inputs, wanted, deadline, rows)
        with self._changed:
            self._admit(call)
            queue = self._lanes.setdefault(call if rows is None else lane, _Lane())
            queue.calls.append(call)
            queue.rows += rows or 1
            self._changed.notify()
        return call.future

    def close(self) -> None:
        """Refuses new calls, runs the queued ones and ends the threads."""
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
        """Waits for the next batch; returns an empty list when the batcher is closed."""
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
        """Returns the key of the lane to run next, or the seconds until one is due."""
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
        if lane.calls:  # back to the end of the queue, so that other lanes are next
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
        except Exception as error:  # passed on to the caller
            if len(calls) == 1:
                calls[0].future.set_exception(error)
            else:
                half = len(calls) // 2
                self._run(calls[:half])
                self._run(calls[half:])
            return
        for call, outputs in zip(calls, results, strict=True):
            call.future.set_result(outputs)

    def _run_merged(self, calls: Sequence[_Call]) -> list[Arrays]:
        first = calls[0]
        deadlines = [call.deadline for call in calls if call.deadline is not None]
        timeout = max(deadlines) - time.monotonic() if len(deadlines) == len(calls) else None
        rows = sum(call.rows or 1 for call in calls)
        padded = self._parameters.padded(rows)
        inputs = first.inputs if first.rows is None else _merged([call.inputs for call in calls], padded)
        start = time.monotonic()
        outputs = first.servable.run(first.signature, inputs, first.outputs, timeout)
        if self._observe:
            self._observe(Batch(first.servable, first.signature, len(calls), rows, time.monotonic() - start))
        if first.rows is None:
            return [outputs]
        return _split(outputs, [call.rows or 0 for call in calls], padded)


def _lane_key(servable: Servable, signature: str, inputs: Arrays, outputs: tuple[str, ...] | None) -> Hashable | None:
    """Returns what calls must have in common to be merged; None if this call must run alone."""
    if not servable.takes_any_rows(signature, outputs):
        return None
    rows = {array.shape[:1] for array in inputs.values()}
    if len(rows) != 1 or () in rows:
        return None
    kinds = tuple(sorted((alias, array.dtype, array.shape[1:]) for alias, array in inputs.items()))
    return servable, signature, outputs, kinds


def _merged(calls: Sequence[Arrays], rows: int) -> Arrays:
    """Concatenates the inputs of calls, and repeats the first row up to `rows` rows, as TensorFlow Serving pads."""
    merged = {}
    for alias in calls[0]:
        parts = [call[alias] for call in calls]
        missing = rows - sum(map(len, parts))
        merged[alias] = np.concatenate([*parts, *([parts[0][:1]] * missing)]) if len(parts) + missing > 1 else parts[0]
    return merged


def _split(outputs: Arrays, sizes: Sequence[int], rows: int) -> list[Arrays]:
    """Cuts the outputs of a batch of `rows` rows, with padding, into those of its calls, and drops the padding."""
    if len(sizes) == 1 and sizes[0] == rows:
        return [outputs]
    if any(array.shape[:1] != (rows,) for array in outputs.values()):
        raise failed_precondition(
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
            "tensors"
        )
    ends = itertools.accumulate(sizes)
    slices = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    return [{alias: array[part] for alias, array in outputs.items()} for part in slices]

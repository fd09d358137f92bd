"""Micro-batching: calls that wait at the same time go through the network as one batch.

A free thread takes the calls that have arrived in the meantime. It waits for those that are about to arrive, as
`traffic` describes, or for as long as `batch_timeout_micros` says. A client that is alone never waits.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import grpc

from imdb_core.cores import usable_cores
from serving.server.config.flag_files import BatchingParameters
from serving.server.errors import ServingError
from serving.server.execution.lanes import Call, Lane, MergedLane, SplitLane, cut, lane_key, merged
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays
from serving.server.execution.traffic import Traffic


@dataclass(frozen=True)
class Batch:
    """A run of a session, as reported to the observer."""

    servable: Servable
    signature: str
    calls: int  # number of merged calls
    rows: int  # of all calls; a call without a batch dimension counts as one
    queued: Sequence[float]  # seconds that each call waited
    seconds: float  # of the run


class Batcher:
    """Runs calls in its own threads, merged into batches.

    Calls are merged if they want the same outputs of the same signature of the same servable, the signature accepts
    any number of rows, and their inputs differ in the first dimension only. All other calls run alone, as do calls
    with more rows than `max_batch_size`. Calls that can be merged form a lane, and lanes take turns. A batch that fails
    is run again in halves, so that one bad request fails alone.

    The memory of a run grows with its rows. A call that could be merged and has more than `max_rows_per_run` rows
    therefore runs in pieces, between which other lanes have their turn.

    Args:
        parameters: Sizes, times and limits.
        max_rows_per_run: Rows of one call that go through the model at once; None for no limit.
        cores: Number of cores that batches and loads share; None for those that this process may use.
        observe: Receives each successful run of a session, in the thread of the run.
    """

    def __init__(
        self,
        parameters: BatchingParameters | None = None,
        *,
        max_rows_per_run: int | None = None,
        cores: int | None = None,
        observe: Callable[[Batch], None] | None = None,
    ) -> None:
        self._parameters = parameters or BatchingParameters()
        self._max_rows_per_run = max_rows_per_run
        self._cores = cores or usable_cores()
        self._observe = observe
        self._lanes: OrderedDict[Hashable, Lane] = OrderedDict()
        self._waiting: dict[Servable, int] = {}
        self._traffic: WeakKeyDictionary[Servable, dict[str, Traffic]] = WeakKeyDictionary()
        self._running = 0  # batches
        self._loads = 0
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
        key = lane_key(servable, signature, inputs, wanted)
        rows = None if key is None else len(next(iter(inputs.values())))
        call = Call(servable, signature, inputs, wanted, deadline, rows)
        most = self._parameters.max_batch_size
        with self._changed:
            if self._max_rows_per_run and rows and rows > max(most, self._max_rows_per_run):
                self._admit(servable, 1)
                self._lanes[call] = SplitLane(call, self._max_rows_per_run)
            else:
                if rows is not None and not 0 < rows <= most:
                    call.rows = None
                self._admit(servable, call.rows or 1)
                place = call if call.rows is None else key
                lane = self._lanes.get(place)
                is_new = not isinstance(lane, MergedLane)
                if not isinstance(lane, MergedLane):
                    lane = self._lanes[place] = MergedLane(servable, most, self._traffic_of(servable, signature))
                lane.add(call)
                # A thread that waits for a batch to fill looks again when it is full or the time is over. To wake it
                # for each call would take longer than the call's part of a large batch.
                if not is_new and self._seconds_left(lane, call.enqueued, call.enqueued) > 0:
                    return call.future
            self._changed.notify()
        return call.future

    @property
    def is_waiting(self) -> bool:
        """Whether calls wait for others that are about to arrive."""
        with self._changed:
            lanes = self._lanes.values()
            return any(isinstance(lane, MergedLane) and lane.traffic.is_expecting for lane in lanes)

    def settle(self) -> None:
        """Ends the wait for calls that are about to arrive; a server calls this when its event loop has been idle."""
        with self._changed:
            waiting = [lane for lane in self._lanes.values() if isinstance(lane, MergedLane)]
            for lane in waiting:
                lane.traffic.settle()
            if waiting:
                self._changed.notify_all()

    @contextmanager
    def core_for_load(self) -> Iterator[None]:
        """Leaves a core to a version that is being loaded, until the context ends.

        Under full load, all cores run batches, and a load, which is mostly arithmetic in one thread, takes several
        times longer. One batch always runs, and no thread rests where there are more cores than threads.
        """
        with self._changed:
            self._loads += 1
        try:
            yield
        finally:
            with self._changed:
                self._loads -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Refuses new calls, runs the queued ones and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _admit(self, servable: Servable, rows: int) -> None:
        if self._closed:
            raise ServingError(grpc.StatusCode.UNAVAILABLE, "The server is shutting down")
        most = self._parameters.max_enqueued_batches * self._parameters.max_batch_size
        waiting = self._waiting.get(servable, 0) + rows
        if waiting > most:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "The batch scheduling queue to which this task was submitted is full; "
                f"{most} rows (max_enqueued_batches x max_batch_size) may wait for a version of a model",
            )
        self._waiting[servable] = waiting

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Waits for the next batch and runs it; returns False when the batcher is closed."""
        taken = self._next_batch()
        if taken is None:
            return False
        key, lane, calls = taken
        try:
            self._run_lane(key, lane, calls)
        finally:
            with self._changed:
                self._running -= 1
                if self._loads:
                    self._changed.notify()
        return True

    def _run_lane(self, key: Hashable, lane: Lane, calls: Sequence[Call]) -> None:
        traffic = lane.traffic if isinstance(lane, MergedLane) else None
        wanted = [call for call in calls if call.future.set_running_or_notify_cancel()]
        self._left(traffic, len(calls) - len(wanted))
        self._run(wanted, traffic)
        if isinstance(lane, SplitLane):
            lane.finish()
            with self._changed:
                if lane:
                    self._lanes[key] = lane
                    self._changed.notify()
                else:
                    self._forget(lane.servable, 1)

    def _next_batch(self) -> tuple[Hashable, Lane, list[Call]] | None:
        free_since = time.monotonic()
        with self._changed:
            while True:
                key, wait = self._ripe_lane(free_since, time.monotonic()) if self._may_run() else (None, None)
                if key is not None:
                    lane = self._lanes.pop(key)
                    before = lane.waiting
                    calls = self._taken_from(lane)
                    self._forget(lane.servable, before - lane.waiting)
                    if isinstance(lane, MergedLane) and lane:  # back to the end, so that other lanes are next
                        self._lanes[key] = lane
                        self._changed.notify()
                    if calls:
                        self._running += 1
                        return key, lane, calls
                elif self._closed and not self._lanes:
                    return None
                else:
                    self._changed.wait(wait)

    def _may_run(self) -> bool:
        left = max(1, self._cores - self._loads)
        return self._running < left or self._closed or not self._loads

    def _traffic_of(self, servable: Servable, signature: str) -> Traffic:
        return self._traffic.setdefault(servable, {}).setdefault(signature, Traffic())

    def _taken_from(self, lane: Lane) -> list[Call]:
        if not isinstance(lane, MergedLane):
            return lane.take()
        if self._parameters.batch_timeout_micros is not None:
            return lane.take(None)
        if lane.waiting < self._parameters.max_batch_size:
            lane.traffic.settle()
        return lane.take(lane.traffic.share(self._parameters.num_batch_threads))

    def _seconds_left(self, lane: Lane, free_since: float, now: float) -> float:
        """Returns the time until the next batch of a lane must run, 0 or less if it is due.

        Args:
            lane: The lane, which must not be empty.
            free_since: When a thread became free for it.
            now: The time.
        """
        if self._closed or not isinstance(lane, MergedLane) or lane.is_full:
            return 0.0
        if self._parameters.batch_timeout_micros is not None:
            return lane.oldest + self._parameters.batch_timeout_micros / 1e6 - now
        return lane.traffic.seconds_left(max(lane.oldest, free_since), now)

    def _ripe_lane(self, free_since: float, now: float) -> tuple[Hashable | None, float | None]:
        """Returns the key of the lane to run next, or the seconds until one is due."""
        wait: float | None = None
        for key, lane in self._lanes.items():
            left = self._seconds_left(lane, free_since, now)
            if left <= 0:
                return key, None
            wait = left if wait is None else min(wait, left)
        return None, wait

    def _forget(self, servable: Servable, rows: int) -> None:
        if rows:
            self._waiting[servable] -= rows
            if not self._waiting[servable]:
                del self._waiting[servable]

    def _left(self, traffic: Traffic | None, calls: int) -> None:
        """Counts calls that are over; their clients must not call again before, or they would count twice."""
        if traffic is not None and calls:
            with self._changed:
                traffic.in_flight -= calls

    def _run(self, calls: list[Call], traffic: Traffic | None) -> None:
        if not calls:
            return
        try:
            results = self._run_merged(calls)
        except Exception as error:  # passed on to the caller
            if len(calls) == 1:
                self._left(traffic, 1)
                calls[0].future.set_exception(error)
            else:
                half = len(calls) // 2
                for part in (calls[:half], calls[half:]):
                    wanted = [call for call in part if call.is_wanted()]
                    self._left(traffic, len(part) - len(wanted))
                    self._run(wanted, traffic)
            return
        self._left(traffic, len(calls))
        for call, outputs in zip(calls, results, strict=True):
            call.future.set_result(outputs)

    def _run_merged(self, calls: Sequence[Call]) -> list[Arrays]:
        first = calls[0]
        deadlines = [call.deadline for call in calls if call.deadline is not None]
        timeout = max(deadlines) - time.monotonic() if len(deadlines) == len(calls) else None
        rows = sum(call.rows or 1 for call in calls)
        padded = self._parameters.padded(rows)
        inputs = first.inputs if first.rows is None else merged([call.inputs for call in calls], padded)
        start = time.monotonic()
        outputs = first.servable.run(first.signature, inputs, first.outputs, timeout)
        if self._observe:
            queued = [start - call.enqueued for call in calls]
            self._observe(Batch(first.servable, first.signature, len(calls), rows, queued, time.monotonic() - start))
        if first.rows is None:
            return [outputs]
        return cut(outputs, [call.rows or 0 for call in calls], padded)

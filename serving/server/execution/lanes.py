"""Calls that wait for a model, in lanes: those that can be merged, those that run alone, and long ones in pieces."""

import itertools
import time
from collections import deque
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import grpc
import numpy as np

from serving.server.errors import ServingError, failed_precondition
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays
from serving.server.execution.traffic import Traffic

_TOO_LATE: Final = "Deadline exceeded before the request could be run"


@dataclass(eq=False)
class Call:
    """A call of a signature; see `Batcher.submit`."""

    servable: Servable
    signature: str
    inputs: Arrays
    outputs: tuple[str, ...] | None
    deadline: float | None
    rows: int | None  # None for a call that runs alone
    enqueued: float = field(default_factory=time.monotonic)
    future: Future[Arrays] = field(default_factory=Future)

    def is_wanted(self) -> bool:
        """Returns whether someone still waits for the result; answers DEADLINE_EXCEEDED if it is too late."""
        if self.future.cancelled():
            return False
        if self.deadline is None or self.deadline > time.monotonic():
            return True
        if self.future.running() or self.future.set_running_or_notify_cancel():
            self.future.set_exception(ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, _TOO_LATE))
        return False


class MergedLane:
    """Calls that can be merged with each other, the oldest first, or one call that runs alone.

    Attributes:
        servable: The servable of all calls.
        traffic: Counts the calls of the signature.
        waiting: Number of rows, as the limit of the queue counts them.

    Args:
        servable: The servable of all calls.
        max_rows: Maximum number of rows in a batch.
        traffic: Counts the calls of the signature.
    """

    def __init__(self, servable: Servable, max_rows: int, traffic: Traffic) -> None:
        self.servable = servable
        self.traffic = traffic
        self.waiting = 0
        self._max_rows = max_rows
        self._calls: deque[Call] = deque()

    def add(self, call: Call) -> None:
        """Adds a call with no more rows than a batch."""
        self._calls.append(call)
        self.waiting += call.rows or 1
        self.traffic.arrived()

    def __bool__(self) -> bool:
        """Returns whether there is anything left to take."""
        return bool(self._calls)

    @property
    def oldest(self) -> float:
        """When the first of the waiting calls arrived; the lane must not be empty."""
        return self._calls[0].enqueued

    @property
    def is_full(self) -> bool:
        """Whether the next batch has all the rows that it may have, or is a call that runs alone."""
        return self._calls[0].rows is None or self.waiting >= self._max_rows

    def take(self, most: int | None) -> list[Call]:
        """Removes the calls of the next batch, without those that nobody waits for.

        Args:
            most: Maximum number of calls; None for no limit but that of the rows.
        """
        taken: list[Call] = []
        rows = 0
        while self._calls and rows + (self._calls[0].rows or 1) <= self._max_rows and len(taken) != most:
            call = self._calls.popleft()
            self.waiting -= call.rows or 1
            if call.is_wanted():
                taken.append(call)
                rows += call.rows or 1
            else:
                self.traffic.in_flight -= 1
        return taken


class SplitLane:
    """One call with more rows than a run may have, taken in pieces, one after the other.

    If a piece does not return a row for each of its rows, or pieces return rows of different sizes, the rows depend on
    each other, and the call runs whole.

    Attributes:
        servable: The servable of the call.
        waiting: 1 until the call is answered, because the limit of the queue counts it as one row.

    Args:
        call: The call.
        piece_rows: Rows of a piece.
    """

    def __init__(self, call: Call, piece_rows: int) -> None:
        self.servable = call.servable
        self.waiting = 1
        self._call = call
        self._rows = call.rows or 0
        self._piece_rows = piece_rows
        self._start = 0  # of the next piece
        self._piece: Call | None = None
        self._results: list[Arrays] = []
        self._whole = False

    def __bool__(self) -> bool:
        """Returns whether there is anything left to take."""
        return self.waiting > 0

    def take(self) -> list[Call]:
        """Returns the next piece, which `finish` needs; nothing if nobody waits for the call."""
        call = self._call
        if not call.is_wanted():
            self._end()
            return []
        inputs, rows = call.inputs, None
        if not self._whole:
            rows = min(self._rows - self._start, self._piece_rows)
            inputs = {alias: array[self._start : self._start + rows] for alias, array in inputs.items()}
        self._piece = Call(call.servable, call.signature, inputs, call.outputs, call.deadline, rows)
        return [self._piece]

    def finish(self) -> None:
        """Keeps the result of the taken piece, and answers the call after the last piece."""
        piece, self._piece = self._piece, None
        if piece is None:
            return
        error = piece.future.exception()
        if error is not None:
            self._answer(error=error)
        elif piece.rows is None:
            self._answer(piece.future.result())
        else:
            self._add(piece.future.result(), piece.rows)

    def _add(self, outputs: Arrays, rows: int) -> None:
        first = self._results[0] if self._results else outputs
        if any(array.shape != (rows, *first[alias].shape[1:]) for alias, array in outputs.items()):
            self._whole = True
            self._results = []
            return
        self._results.append(outputs)
        self._start += rows
        if self._start == self._rows:
            self._answer({alias: np.concatenate([one[alias] for one in self._results]) for alias in first})

    def _answer(self, outputs: Arrays | None = None, error: BaseException | None = None) -> None:
        future = self._call.future
        if future.set_running_or_notify_cancel():
            if error is not None:
                future.set_exception(error)
            elif outputs is not None:
                future.set_result(outputs)
        self._end()

    def _end(self) -> None:
        self.waiting = 0
        self._results = []


Lane: TypeAlias = MergedLane | SplitLane


def lane_key(servable: Servable, signature: str, inputs: Arrays, outputs: tuple[str, ...] | None) -> Hashable | None:
    """Returns what calls must have in common to be merged; None if this call must run alone."""
    if not servable.takes_any_rows(signature, outputs):
        return None
    rows = {array.shape[:1] for array in inputs.values()}
    if len(rows) != 1 or () in rows:
        return None
    kinds = tuple(sorted((alias, array.dtype, array.shape[1:]) for alias, array in inputs.items()))
    return servable, signature, outputs, kinds


def merged(calls: Sequence[Arrays], rows: int) -> Arrays:
    """Concatenates the inputs of calls, and repeats the first row up to `rows` rows, as TensorFlow Serving pads."""
    together = {}
    for alias in calls[0]:
        parts = [call[alias] for call in calls]
        missing = rows - sum(map(len, parts))
        is_one = len(parts) == 1 and not missing
        together[alias] = parts[0] if is_one else np.concatenate([*parts, *([parts[0][:1]] * missing)])
    return together


def cut(outputs: Arrays, sizes: Sequence[int], rows: int) -> list[Arrays]:
    """Cuts the outputs of a batch of `rows` rows, with padding, into those of its calls, and drops the padding.

    Raises:
        ServingError: FAILED_PRECONDITION if an output does not have a row for each row of the batch.
    """
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

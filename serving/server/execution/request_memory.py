"""The memory that requests take, known before it is taken.

A request of 80 bytes may ask for millions of rows: the last value of a tensor fills the missing ones, and a context is
prepended to every tf.Example.
"""

import threading
from contextlib import AbstractContextManager
from typing import Any, Final

import grpc
from tensorflow_serving.apis import input_pb2, predict_pb2

from serving.server.errors import ServingError
from serving.server.execution.tensors import memory_of_tensor

_BYTES_PER_EXAMPLE: Final = 128  # objects of Python and TensorFlow around a serialized tf.Example
_MIB: Final = 2**20


def memory_of(request: Any) -> int:
    """Estimates the bytes that a request takes: its message, and the tensors that are made of it.

    Args:
        request: A request of any RPC of PredictionService.
    """
    message: int = request.ByteSize()
    if isinstance(request, predict_pb2.PredictRequest):
        inputs = request.inputs  # whose `values` is slow
        return message + sum(memory_of_tensor(inputs[alias]) for alias in inputs)
    given = getattr(request, "input", None)
    return message + (_memory_of_examples(given) if isinstance(given, input_pb2.Input) else 0)


class MemoryBudget:
    """Limits the memory of one request, and of all requests in progress. All methods are thread-safe.

    Args:
        each: Bytes for one request, `--max_tensor_bytes`.
        together: Bytes for all requests in progress, `--max_pending_bytes`. A request that is alone is never refused
            for this limit.
    """

    def __init__(self, each: int, together: int) -> None:
        self._each = each
        self._together = together
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Bytes of the requests in progress."""
        return self._taken

    def reserved(self, size: int) -> AbstractContextManager[None]:
        """Reserves bytes for a request until the context, to be entered at once, ends.

        Raises:
            ServingError: RESOURCE_EXHAUSTED if the request is too large, or too large besides those in progress.
        """
        if size > self._each:
            raise _exhausted(
                f"The request needs {_mib(size)} of memory; --max_tensor_bytes allows {_mib(self._each)}. Send fewer "
                "rows a request, or start the server with a higher limit"
            )
        with self._lock:
            if self._taken and self._taken + size > self._together:
                raise _exhausted(
                    f"The request needs {_mib(size)} of memory, and those in progress take {_mib(self._taken)}; "
                    f"--max_pending_bytes allows {_mib(self._together)} together. Try again later"
                )
            self._taken += size
        return _Reservation(self, size)

    def give_back(self, size: int) -> None:
        """Ends a reservation."""
        with self._lock:
            self._taken -= size


class _Reservation:
    """Ends a reservation with its block; a generator would be slower, and every request has one."""

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: MemoryBudget, size: int) -> None:
        self._budget = budget
        self._size = size

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._size)


def _memory_of_examples(given: input_pb2.Input) -> int:
    count = len(given.example_list.examples) + len(given.example_list_with_context.examples)
    context: int = given.example_list_with_context.context.ByteSize()
    return int(given.ByteSize()) + count * (context + _BYTES_PER_EXAMPLE)


def _exhausted(message: str) -> ServingError:
    return ServingError(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def _mib(size: int) -> str:
    return f"{size / _MIB:,.1f} MiB"

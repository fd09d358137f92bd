"""A loaded version of a model."""

import math
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from serving.server.errors import ServingError, from_tensorflow, invalid_argument
from serving.server.execution.process_memory import return_memory
from serving.server.execution.session import feed_tensor, least_busy, open_session, run_session
from serving.server.execution.tensors import Arrays

_ANY_SIZE: Final = -1

# The runtime's names of dtypes, where they differ from tf.DType.name.
_DTYPE_NAMES: Final = {tf.float16: "half", tf.float32: "float", tf.float64: "double"}


@dataclass(frozen=True)
class _Signature:
    """Inputs and outputs of a signature by alias."""

    feeds: Mapping[str, tf.Tensor]  # sorted by the tensors' names, as the runtime numbers its arguments
    fetches: Mapping[str, tf.Tensor]  # sorted by alias: a session builds one executor per set of outputs
    free: frozenset[str]  # outputs whose first dimension may have any size; none if an input's may not
    problem: str = ""  # why the signature cannot be called


_UNLOADED: Final = _Signature({}, {}, frozenset())


class Servable:
    """A version of a model in memory. All methods are thread-safe.

    Attributes:
        name: Name of the model.
        version: Number of the version.
        path: Folder of `saved_model.pb`.
        signatures: All signatures of the SavedModel, by key.
        checks_methods: Whether signatures for tf.Examples must have their method's name, which those of TensorFlow 2
            lack.
    """

    def __init__(
        self,
        name: str,
        version: int,
        path: str,
        session: tf.compat.v1.Session,
        signatures: Mapping[str, SignatureDef],
        *,
        checks_methods: bool = False,
    ) -> None:
        self.name = name
        self.version = version
        self.path = path
        self.signatures = signatures
        self.checks_methods = checks_methods
        self._session: tf.compat.v1.Session | None = session
        self._endpoints = {key: _endpoints_of(session.graph, definition) for key, definition in self.signatures.items()}
        self._running = 0
        self._closed = False
        self._changed = threading.Condition()

    @classmethod
    def load(
        cls,
        name: str,
        version: int,
        path: str,
        *,
        tags: Collection[str] = (tf.saved_model.SERVING,),
        checks_methods: bool = False,
    ) -> "Servable":
        """Loads a SavedModel; `open_session` describes `tags`, and the class the other arguments.

        Raises:
            ServingError: The SavedModel cannot be served; see `open_session`.
        """
        return cls(name, version, path, *open_session(path, tags), checks_methods=checks_methods)

    def run(
        self, signature: str, inputs: Arrays, outputs: Sequence[str] | None = None, timeout: float | None = None
    ) -> Arrays:
        """Calls a signature and waits for the result.

        Args:
            signature: A key of `signatures`.
            inputs: An array for each input; strings are objects of type bytes. The kernels check the shapes.
            outputs: The outputs to compute; None for all.
            timeout: Seconds; None for no limit.

        Returns:
            The outputs by alias; strings are objects of type bytes.

        Raises:
            ServingError: The code of the op that failed; INVALID_ARGUMENT for a wrong dtype; DEADLINE_EXCEEDED after
                the timeout; UNAVAILABLE if the servable is closed.
        """
        endpoints = self._endpoints[signature]
        if endpoints.problem:
            raise invalid_argument(endpoints.problem)
        if timeout is not None and timeout <= 0:
            raise ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for notification")
        feeds = {tensor: inputs[alias] for alias, tensor in endpoints.feeds.items()}
        _check_dtypes(feeds)
        fetches = {alias: tensor for alias, tensor in endpoints.fetches.items() if outputs is None or alias in outputs}
        with self._in_use() as session, least_busy() as pool:
            milliseconds = None if timeout is None else math.ceil(timeout * 1000)
            options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds, inter_op_thread_pool=pool)
            try:
                values = run_session(session, list(fetches.values()), feeds, options)
            except tf.errors.OpError as error:
                raise from_tensorflow(error) from None
            except UnicodeDecodeError as error:
                # Python cannot decode the message of an op that quotes its input, and loses the error's code with it.
                raise invalid_argument(error.object.decode(errors="replace")) from None
        arrays = (_as_array(value, tensor.dtype) for tensor, value in zip(fetches.values(), values, strict=True))
        return dict(zip(fetches, arrays, strict=True))

    def takes_any_rows(self, signature: str, outputs: Sequence[str] | None = None) -> bool:
        """Returns whether calls can be merged: the first dimension of all inputs and of these outputs is free."""
        endpoints = self._endpoints.get(signature)
        return endpoints is not None and endpoints.free.issuperset(endpoints.fetches if outputs is None else outputs)

    def close(self) -> None:
        """Frees the model and its memory after the running calls have ended."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._running)
            session, self._session = self._session, None
        if session is None:
            return
        session.close()
        # Whoever still holds this object must not hold the graph, which includes the constants.
        del session
        self._endpoints = dict.fromkeys(self._endpoints, _UNLOADED)
        return_memory()

    @contextmanager
    def _in_use(self) -> Iterator[tf.compat.v1.Session]:
        with self._changed:
            session = self._session
            if self._closed or session is None:
                unloaded = f"Version {self.version} of model {self.name} was unloaded"
                raise ServingError(grpc.StatusCode.UNAVAILABLE, unloaded)
            self._running += 1
        try:
            yield session
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()


def _endpoints_of(graph: tf.Graph, definition: SignatureDef) -> _Signature:
    try:
        feeds = {alias: feed_tensor(graph, info.name) for alias, info in definition.inputs.items()}
        fetches = {alias: graph.get_tensor_by_name(info.name) for alias, info in definition.outputs.items()}
    except (KeyError, ValueError) as error:
        return _Signature({}, {}, frozenset(), str(error))
    free = {alias for alias, info in definition.outputs.items() if _is_free(info.tensor_shape)}
    if not definition.inputs or not all(_is_free(info.tensor_shape) for info in definition.inputs.values()):
        free = set()
    by_name = sorted(feeds.items(), key=lambda feed: str(feed[1].name))
    return _Signature(dict(by_name), dict(sorted(fetches.items())), frozenset(free))


def _is_free(shape: tensor_shape_pb2.TensorShapeProto) -> bool:
    """Returns whether the first dimension may have any size."""
    return not shape.unknown_rank and len(shape.dim) > 0 and shape.dim[0].size == _ANY_SIZE


def _check_dtypes(feeds: Mapping[tf.Tensor, NDArray[Any]]) -> None:
    """Refuses other dtypes, as the runtime does; Python's sessions would cast them."""
    for number, (tensor, value) in enumerate(feeds.items()):
        given = tf.dtypes.as_dtype(value.dtype)
        if given != tensor.dtype:
            expected, provided = (_DTYPE_NAMES.get(dtype, dtype.name) for dtype in (tensor.dtype, given))
            raise invalid_argument(f"Expects arg[{number}] to be {expected} but {provided} is provided")


def _as_array(value: Any, dtype: tf.DType) -> NDArray[Any]:
    if isinstance(value, bytes):  # a scalar string, whose trailing NULs np.asarray would drop
        scalar = np.empty((), object)
        scalar[()] = value
        return scalar
    array = np.asarray(value)
    # Python's sessions return quantized numbers as plain integers.
    return array.view(dtype.as_numpy_dtype) if dtype.is_quantized else array

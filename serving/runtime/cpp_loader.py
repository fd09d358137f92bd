"""Runs a SavedModel as TensorFlow Serving does: with the C++ loader, which is part of TensorFlow's wheel.

A model that Python can load may still fail in a server (tensorflow/serving#2250). This module calls the loader through
TensorFlow's C API; `tensorflow/c/*.h` in the wheel declares all functions used here.
"""

import contextlib
import ctypes
import functools
import glob
import math
import os
from collections.abc import Iterator, Mapping
from ctypes import byref, c_char, c_char_p, c_int, c_int64, c_size_t, c_void_p
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from imdb_core.errors import RunError

# A check must not take the memory of a GPU on which somebody trains.
_CONFIG: Final = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, intra_op_parallelism_threads=1)
# Rewriting the graph takes as long as running a thousand reviews, and makes the loop over time steps no faster.
_CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True
# A run stays in the thread that calls it: the small ops of a recurrent network take less time than handing them on.
_IN_CALLING_THREAD: Final = tf.compat.v1.RunOptions(inter_op_thread_pool=-1)
_TAG: Final = tf.saved_model.SERVING


class _Handle(c_void_p):
    """A pointer that ctypes does not convert to an int, which it would pass on as 32 bits."""


class _Endpoint(ctypes.Structure):  # TF_Output
    _fields_ = (("operation", c_void_p), ("index", c_int))


class _String(ctypes.Structure):  # TF_TString
    _fields_ = (("opaque", c_char * 24),)


class CppSavedModel:
    """A SavedModel in a C++ session on the CPU. As a context manager it frees the session.

    Threads may share it; each of their runs takes one core.

    Attributes:
        path: The folder of `saved_model.pb`.
        signatures: SignatureDef by key.

    Raises:
        RunError: The folder holds no model, or the C++ loader refuses it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.signatures = _read_signatures(path)
        self._c = _c_api()
        with contextlib.ExitStack() as resources:
            self._graph = self._c.TF_NewGraph()
            resources.callback(self._c.TF_DeleteGraph, self._graph)
            options = self._c.TF_NewSessionOptions()
            resources.callback(self._c.TF_DeleteSessionOptions, options)
            with self._checked("cannot be loaded") as status:
                config = _CONFIG.SerializeToString()
                self._c.TF_SetConfig(options, config, c_size_t(len(config)), status)
                self._session = self._c.TF_LoadSessionFromSavedModel(
                    options, None, os.fsencode(path), byref(c_char_p(_TAG.encode())), 1, self._graph, None, status
                )
            resources.callback(self._delete_session)
            run_options = _IN_CALLING_THREAD.SerializeToString()
            self._run_options = self._c.TF_NewBufferFromString(run_options, c_size_t(len(run_options)))
            resources.callback(self._c.TF_DeleteBuffer, self._run_options)
            self._resources = resources.pop_all()

    def __enter__(self) -> "CppSavedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def run(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """Runs a signature and returns all outputs by name; strings are objects of type bytes.

        Args:
            signature: Key of the signature.
            inputs: An array, or a value that converts to one, for each input; strings as str or bytes.

        Raises:
            RunError: There is no such signature, it has other inputs, or its graph fails on these values.
        """
        if signature not in self.signatures:
            raise RunError(f"{self.path} has no signature {signature!r}; use one of {sorted(self.signatures)}")
        definition = self.signatures[signature]
        if set(inputs) != set(definition.inputs):
            raise RunError(
                f"signature {signature!r} of {self.path} got inputs {sorted(inputs)}; give {sorted(definition.inputs)}"
            )
        feeds = [self._endpoint(definition.inputs[name]) for name in inputs]
        fetches = [self._endpoint(info) for info in definition.outputs.values()]
        results = (c_void_p * len(fetches))()
        with contextlib.ExitStack() as tensors:
            values = [self._to_tensor(value, definition.inputs[name].dtype) for name, value in inputs.items()]
            for value in values:
                tensors.callback(self._c.TF_DeleteTensor, value)
            with self._checked(f"fails in signature {signature!r}") as status:
                self._c.TF_SessionRun(
                    *(self._session, self._run_options),
                    *((_Endpoint * len(feeds))(*feeds), (c_void_p * len(values))(*values), len(feeds)),
                    *((_Endpoint * len(fetches))(*fetches), results, len(fetches)),
                    *(None, 0, None, status),
                )
            handles = [_Handle(result) for result in results]
            for handle in handles:
                tensors.callback(self._c.TF_DeleteTensor, handle)
            return {name: self._to_array(handle) for name, handle in zip(definition.outputs, handles, strict=True)}

    @contextlib.contextmanager
    def _checked(self, what: str) -> Iterator[_Handle]:
        """Yields a TF_Status for one call; raises RunError if the call fails."""
        status = self._c.TF_NewStatus()
        try:
            yield status
            if self._c.TF_GetCode(status):
                message = self._c.TF_Message(status).decode(errors="replace")
                raise RunError(f"{self.path} {what} in TensorFlow's C++ runtime, which servers use: {message}")
        finally:
            self._c.TF_DeleteStatus(status)

    def _delete_session(self) -> None:
        with self._checked("cannot be closed") as status:
            self._c.TF_DeleteSession(self._session, status)

    def _endpoint(self, info: meta_graph_pb2.TensorInfo) -> _Endpoint:
        operation, _, index = info.name.partition(":")
        found = self._c.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise RunError(f"{self.path} names a tensor {info.name!r} that its graph lacks; export it again")
        return _Endpoint(found, int(index))

    def _to_tensor(self, value: Any, dtype: int) -> _Handle:
        content = tf.make_tensor_proto(value, tf.dtypes.as_dtype(dtype)).SerializeToString()
        buffer = self._c.TF_NewBufferFromString(content, c_size_t(len(content)))
        tensor: _Handle = self._c.TF_AllocateTensor(tf.float32.as_datatype_enum, None, 0, c_size_t(4))
        with self._checked("cannot be given its inputs") as status:
            self._c.TF_TensorFromProto(buffer, tensor, status)
        self._c.TF_DeleteBuffer(buffer)
        return tensor

    def _to_array(self, tensor: _Handle) -> np.ndarray[Any, Any]:
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        data, dtype = self._c.TF_TensorData(tensor), tf.dtypes.as_dtype(self._c.TF_TensorType(tensor))
        array = np.empty(math.prod(shape), dtype.as_numpy_dtype)
        if dtype == tf.string and array.size:
            for place, string in enumerate((_String * array.size).from_address(data.value)):
                text, size = self._c.TF_StringGetDataPointer(byref(string)), self._c.TF_StringGetSize(byref(string))
                array[place] = ctypes.string_at(text, size)
        elif array.size:
            ctypes.memmove(array.ctypes.data, data, array.nbytes)
        return array.reshape(shape)


def _read_signatures(path: str) -> Mapping[str, meta_graph_pb2.SignatureDef]:
    """Returns the signatures of the graph that servers load."""
    try:
        with tf.io.gfile.GFile(os.path.join(path, "saved_model.pb"), "rb") as file:
            saved = saved_model_pb2.SavedModel.FromString(file.read())
    except (tf.errors.NotFoundError, tf.errors.FailedPreconditionError):
        raise RunError(f"{path} holds no saved_model.pb; give the folder of a SavedModel") from None
    for graph in saved.meta_graphs:
        if _TAG in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise RunError(f"{path} holds no graph tagged {_TAG!r}; export it with tf.saved_model.save")


@functools.cache
def _c_api() -> ctypes.CDLL:
    """Returns the wheel's library, with the return types of functions that do not return a C int."""
    found = sorted(glob.glob(os.path.join(tf.sysconfig.get_lib(), "libtensorflow_cc*")))
    if not found:
        raise RunError(f"TensorFlow's library libtensorflow_cc is not in {tf.sysconfig.get_lib()}; install it again")
    library = ctypes.CDLL(found[0])
    for returned, names in (
        (_Handle, "NewStatus NewGraph NewSessionOptions NewBufferFromString LoadSessionFromSavedModel"),
        (_Handle, "GraphOperationByName AllocateTensor TensorData StringGetDataPointer"),
        (c_char_p, "Message"),
        (c_int64, "Dim"),
        (c_size_t, "StringGetSize"),
    ):
        for name in names.split():
            getattr(library, f"TF_{name}").restype = returned
    return library

"""Runs a SavedModel the way TensorFlow Serving does: its C++ loader, in the library that TensorFlow's wheel brings.

What Python loads is no proof that a server can run it (tensorflow/serving#2250). Serving's C++ loader is reached here
through TensorFlow's C API; `tensorflow/c/c_api.h` and `tf_tstring.h` in the wheel declare every function called.
"""

import contextlib
import ctypes
import functools
import glob
import math
import os
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from components.errors import RunError

_TSTRING_BYTES: Final = 24  # sizeof(TF_TString)
# A check must not take the memory of a GPU that somebody trains on.
_CPU_ONLY: Final = tf.compat.v1.ConfigProto(device_count={"GPU": 0}).SerializeToString()


class _Endpoint(ctypes.Structure):  # TF_Output
    _fields_ = (("operation", c_void_p), ("index", c_int))


class CppSavedModel:
    """A SavedModel in a C++ session on the CPU; a context manager, which frees it.

    Args:
        path: folder of `saved_model.pb`.

    Raises:
        RunError: the C++ loader refuses the model.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._signatures = _signatures(path)
        self._c = _c_api()
        with contextlib.ExitStack() as resources:
            self._status = _owned(resources, self._c.TF_NewStatus(), self._c.TF_DeleteStatus)
            self._graph = _owned(resources, self._c.TF_NewGraph(), self._c.TF_DeleteGraph)
            options = self._c.TF_NewSessionOptions()
            self._c.TF_SetConfig(options, _CPU_ONLY, len(_CPU_ONLY), self._status)
            self._session = self._c.TF_LoadSessionFromSavedModel(
                options, None, os.fsencode(path), (c_char_p * 1)(b"serve"), 1, self._graph, None, self._status
            )
            self._c.TF_DeleteSessionOptions(options)
            self._check("cannot be loaded")
            resources.callback(self._c.TF_DeleteSession, self._session, self._status)
            self._resources = resources.pop_all()

    def __enter__(self) -> "CppSavedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def run(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """Calls a signature.

        Args:
            signature: its key.
            inputs: what `np.asarray` takes, for each of the signature's inputs; text as str or bytes.

        Returns:
            All outputs; strings as objects of bytes.

        Raises:
            RunError: there is no such signature, it takes other inputs, or the graph fails on them.
        """
        if signature not in self._signatures:
            raise RunError(f"{self.path} has no signature {signature!r}; use one of {sorted(self._signatures)}")
        definition = self._signatures[signature]
        if set(inputs) != set(definition.inputs):
            raise RunError(
                f"signature {signature!r} of {self.path} got inputs {sorted(inputs)}; give {sorted(definition.inputs)}"
            )
        feeds = {name: self._endpoint(definition.inputs[name]) for name in inputs}
        fetches = {name: self._endpoint(info) for name, info in definition.outputs.items()}
        values, results = (c_void_p * len(feeds))(), (c_void_p * len(fetches))()
        with contextlib.ExitStack() as tensors:
            for place, (name, value) in enumerate(inputs.items()):
                values[place] = self._to_tensor(value, definition.inputs[name].dtype, tensors)
            self._c.TF_SessionRun(
                *(self._session, None),
                *((_Endpoint * len(feeds))(*feeds.values()), values, len(feeds)),
                *((_Endpoint * len(fetches))(*fetches.values()), results, len(fetches)),
                *(None, 0, None, self._status),
            )
            self._check(f"fails in signature {signature!r}")
            for result in results:
                tensors.callback(self._c.TF_DeleteTensor, result)
            return {name: self._to_array(result) for name, result in zip(fetches, results, strict=True)}

    def _check(self, what: str) -> None:
        if self._c.TF_GetCode(self._status):
            message = self._c.TF_Message(self._status).decode(errors="replace")
            raise RunError(f"{self.path} {what} in TensorFlow's C++ runtime, so no TensorFlow Serving can: {message}")

    def _endpoint(self, info: meta_graph_pb2.TensorInfo) -> _Endpoint:
        operation, _, index = info.name.partition(":")
        return _Endpoint(self._c.TF_GraphOperationByName(self._graph, operation.encode()), int(index))

    def _to_tensor(self, value: Any, dtype: int, tensors: contextlib.ExitStack) -> int:
        """Copies a value into a TF_Tensor that lives until `tensors` closes."""
        is_string = dtype == tf.string.as_datatype_enum
        array = np.ascontiguousarray(value, object if is_string else tf.dtypes.as_dtype(dtype).as_numpy_dtype)
        array = array.reshape(np.shape(value))  # ascontiguousarray makes scalars vectors
        size = array.size * _TSTRING_BYTES if is_string else array.nbytes
        tensor = self._c.TF_AllocateTensor(dtype, (c_int64 * array.ndim)(*array.shape), array.ndim, size)
        tensors.callback(self._c.TF_DeleteTensor, tensor)
        data = self._c.TF_TensorData(tensor)
        if is_string:
            for place, item in enumerate(array.flat):
                text = item.encode() if isinstance(item, str) else bytes(item)
                string = data + place * _TSTRING_BYTES
                self._c.TF_StringInit(string)
                # TF_DeleteTensor frees the tensor's memory, not what its strings point to.
                tensors.callback(self._c.TF_StringDealloc, string)
                self._c.TF_StringCopy(string, text, len(text))
        else:
            ctypes.memmove(data, array.ctypes.data, size)
        return int(tensor)

    def _to_array(self, tensor: int) -> np.ndarray[Any, Any]:
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        data, dtype = self._c.TF_TensorData(tensor), tf.dtypes.as_dtype(self._c.TF_TensorType(tensor))
        if dtype != tf.string:
            content = ctypes.string_at(data, self._c.TF_TensorByteSize(tensor)) if math.prod(shape) else b""
            return np.frombuffer(content, dtype.as_numpy_dtype).reshape(shape)
        strings = [data + place * _TSTRING_BYTES for place in range(math.prod(shape))]
        texts = [ctypes.string_at(self._c.TF_StringGetDataPointer(s), self._c.TF_StringGetSize(s)) for s in strings]
        array = np.empty(len(texts), object)
        array[:] = texts
        return array.reshape(shape)


def _owned(resources: contextlib.ExitStack, handle: int, free: Callable[[int], None]) -> int:
    resources.callback(free, handle)
    return handle


def _signatures(path: str) -> Mapping[str, meta_graph_pb2.SignatureDef]:
    """Reads the signatures of the graph that servers load."""
    try:
        with tf.io.gfile.GFile(os.path.join(path, "saved_model.pb"), "rb") as file:
            saved = saved_model_pb2.SavedModel.FromString(file.read())
    except tf.errors.NotFoundError:
        raise RunError(f"{path} holds no saved_model.pb; give the folder of a SavedModel") from None
    for graph in saved.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise RunError(f"{path} holds no graph tagged 'serve'; export it with tf.saved_model.save")


@functools.cache
def _c_api() -> ctypes.CDLL:
    """The wheel's own library, with the types of the functions used here."""
    found = sorted(glob.glob(os.path.join(tf.sysconfig.get_lib(), "libtensorflow_cc*")))
    if not found:
        raise RunError(f"TensorFlow's C++ library libtensorflow_cc is not in {tf.sysconfig.get_lib()}; reinstall it")
    library = ctypes.CDLL(found[0])
    p = c_void_p
    for name, result, arguments in (
        ("TF_NewStatus", p, ()),
        ("TF_DeleteStatus", None, (p,)),
        ("TF_GetCode", c_int, (p,)),
        ("TF_Message", c_char_p, (p,)),
        ("TF_NewGraph", p, ()),
        ("TF_DeleteGraph", None, (p,)),
        ("TF_GraphOperationByName", p, (p, c_char_p)),
        ("TF_NewSessionOptions", p, ()),
        ("TF_SetConfig", None, (p, c_char_p, c_size_t, p)),
        ("TF_DeleteSessionOptions", None, (p,)),
        ("TF_LoadSessionFromSavedModel", p, (p, p, c_char_p, POINTER(c_char_p), c_int, p, p, p)),
        ("TF_DeleteSession", None, (p, p)),
        ("TF_SessionRun", None, (p, p, p, p, c_int, p, p, c_int, p, c_int, p, p)),
        ("TF_AllocateTensor", p, (c_int, p, c_int, c_size_t)),
        ("TF_DeleteTensor", None, (p,)),
        ("TF_TensorData", p, (p,)),
        ("TF_TensorType", c_int, (p,)),
        ("TF_TensorByteSize", c_size_t, (p,)),
        ("TF_NumDims", c_int, (p,)),
        ("TF_Dim", c_int64, (p, c_int)),
        ("TF_StringInit", None, (p,)),
        ("TF_StringCopy", None, (p, c_char_p, c_size_t)),
        ("TF_StringDealloc", None, (p,)),
        ("TF_StringGetDataPointer", p, (p,)),
        ("TF_StringGetSize", c_size_t, (p,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library

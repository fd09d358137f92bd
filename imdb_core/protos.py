"""TensorFlow Serving's messages without TensorFlow.

Importing `tensorflow_serving.apis.predict_pb2` imports all of TensorFlow, which takes seconds; a command that asks one
question should not. So the messages are made from the same serialized descriptors, which stand as literals in the
generated modules, in a pool of their own: where TensorFlow is imported too, neither gets in the other's way.
"""

import ast
import functools
import importlib
import importlib.util
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# TensorFlow's wheel keeps packages of others inside its own.
_INSIDE: Final = ("", "tensorflow/", "tensorflow/compiler/")

_pool: Final = descriptor_pool.DescriptorPool()
# The second is the only way before protobuf 4.22, and gone from 6 on.
_message_class: Final = (
    getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(_pool).GetPrototype
)


@functools.cache
def message(file: str, name: str) -> Any:
    """Gives a message class of `tensorflow_serving.apis`.

    Args:
        file: that defines it, without `.proto`, like `predict`.
        name: like `PredictRequest`.
    """
    _add(f"tensorflow_serving/apis/{file}.proto")
    return _message_class(_pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))


@functools.cache
def _add(file: str) -> None:
    serialized = _serialized_descriptor(file.removesuffix(".proto") + "_pb2")
    for dependency in descriptor_pb2.FileDescriptorProto.FromString(serialized).dependency:
        _add(dependency)
    _pool.AddSerializedFile(serialized)


def _serialized_descriptor(module: str) -> bytes:
    if module.startswith("google/"):
        return bytes(importlib.import_module(module.replace("/", ".")).DESCRIPTOR.serialized_pb)
    for node in ast.walk(ast.parse(_source(module).read_bytes())):
        match node:
            case ast.Call(func=ast.Attribute(attr="AddSerializedFile"), args=[ast.Constant(value=bytes(serialized))]):
                return serialized
    raise ImportError(f"{module}.py holds no serialized descriptor")


def _source(module: str) -> Path:
    for inside in _INSIDE:
        package, *rest = f"{inside}{module}.py".split("/")
        spec = importlib.util.find_spec(package)  # of a top-level package: it is not imported
        for folder in (spec and spec.submodule_search_locations) or ():
            path = Path(folder, *rest)
            if path.is_file():
                return path
    raise ImportError(f"no installed package has {module}.py; install tensorflow and tensorflow-serving-api again")

"""Protocol buffer messages without TensorFlow.

Importing `tensorflow_serving.apis.predict_pb2` imports all of TensorFlow, which takes seconds; a command that sends a
single request should not wait for it. Therefore the classes are made from the serialized descriptors, which are
literals in the generated modules, or from a declaration if no installed package has the message. They are in a separate
descriptor pool and do not conflict with TensorFlow's if it is imported too.
"""

import ast
import functools
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_KINDS: Final = {"string": _Field.TYPE_STRING, "bool": _Field.TYPE_BOOL, "int64": _Field.TYPE_INT64}
_REPEATED: Final = "repeated "

# Where TensorFlow's wheel also contains packages.
_INSIDE: Final = ("", "tensorflow/", "tensorflow/compiler/")

_pool: Final = descriptor_pool.DescriptorPool()
# protobuf has GetMessageClass from 4.22 on, and has no GetPrototype from 6 on.
_message_class: Final = (
    getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(_pool).GetPrototype
)


@functools.cache
def message(file: str, name: str) -> Any:
    """Returns the class of a message that an installed package defines.

    Args:
        file: The path of the `.proto` file that defines it, such as `tensorflow_serving/apis/predict.proto`.
        name: The message's full name, such as `tensorflow.serving.PredictRequest`.

    Raises:
        ImportError: No installed package has the file.
        KeyError: The file does not define the message.
    """
    _add(file)
    return _message_class(_pool.FindMessageTypeByName(name))


def declare(file: str, package: str, messages: Mapping[str, Mapping[str, str]], *imports: str) -> dict[str, Any]:
    """Returns the classes, by name, of messages that no installed package defines.

    Args:
        file: A name for the file that would define them; each file can be declared once.
        package: The package of the messages.
        messages: message → field → type. A type is `string`, `bool`, `int64` or the full name of a message, optionally
            after `repeated `. Fields are numbered in their order.
        *imports: The `.proto` files of other packages that define types of fields.
    """
    for dependency in imports:
        _add(dependency)
    declared = descriptor_pb2.FileDescriptorProto(name=file, package=package, syntax="proto3", dependency=imports)
    for name, fields in messages.items():
        declared_message = declared.message_type.add(name=name)
        for number, (field, given) in enumerate(fields.items(), start=1):
            label = _Field.LABEL_REPEATED if given.startswith(_REPEATED) else _Field.LABEL_OPTIONAL
            kind = given.removeprefix(_REPEATED)
            reference = {"type": _KINDS[kind]} if kind in _KINDS else {"type_name": f".{kind}"}
            declared_message.field.add(name=field, number=number, label=label, **reference)
    _pool.Add(declared)
    return {name: _message_class(_pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


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
    raise ImportError(f"{module}.py contains no serialized descriptor; install its package again")


def _source(module: str) -> Path:
    for inside in _INSIDE:
        package, *rest = f"{inside}{module}.py".split("/")
        spec = importlib.util.find_spec(package)  # finding a top-level package does not import it
        for folder in (spec and spec.submodule_search_locations) or ():
            path = Path(folder, *rest)
            if path.is_file():
                return path
    raise ImportError(f"no installed package has {module}.py; install tensorflow and tensorflow-serving-api again")

"""Reads tf.Examples without TensorFlow, whose import alone takes longer than the whole page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from imdb_core.records import read_records

_PACKAGE: Final = "imdb_attention.report"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto


def _example_class() -> Any:
    """The messages of tensorflow/core/example/{example,feature}.proto, under names of our own."""
    file = descriptor_pb2.FileDescriptorProto(name="imdb_attention/example.proto", package=_PACKAGE, syntax="proto3")
    for name, kind in (("BytesList", _FIELD.TYPE_BYTES), ("FloatList", _FIELD.TYPE_FLOAT), ("Int64List", _INT64)):
        file.message_type.add(name=name).field.add(name="value", number=1, label=_FIELD.LABEL_REPEATED, type=kind)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), 1
    ):
        _message(feature, name, number, kind).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
    _message(entry, "value", 2, "Feature")
    _message(features, "feature", 1, "Features.FeatureEntry").label = _FIELD.LABEL_REPEATED
    _message(file.message_type.add(name="Example"), "features", 1, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(f"{_PACKAGE}.Example"))


def _message(parent: Any, name: str, number: int, kind: str) -> Any:
    return parent.field.add(
        name=name,
        number=number,
        label=_FIELD.LABEL_OPTIONAL,
        type=_FIELD.TYPE_MESSAGE,
        type_name=f".{_PACKAGE}.{kind}",
    )


_INT64: Final = _FIELD.TYPE_INT64
_Example: Final = _example_class()


def read_examples(folder: Path, most: int | None = None) -> Iterator[Any]:
    """Reads the examples of a split.

    Args:
        folder: of the split, with gzipped TFRecords.
        most: number of examples to read, as many as can be of each file; all by default.

    Yields:
        The map from the names of an example's features to tf.Features, files in the order of their names.
    """
    files = sorted(folder.glob("*.gz"))
    for place, file in enumerate(files):
        # So that the shares add up to `most`.
        wanted = None if most is None else most * (place + 1) // len(files) - most * place // len(files)
        for number, record in enumerate(read_records([str(file)], open)):
            if wanted is not None and number >= wanted:
                break
            yield _Example.FromString(record).features.feature

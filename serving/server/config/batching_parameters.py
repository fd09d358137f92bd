"""The limits of micro-batching, by the names of TensorFlow Serving's BatchingParameters."""

import functools
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pb2, message_factory, text_format, wrappers_pb2

from imdb_core.errors import SettingsError

_PACKAGE: Final = "tensorflow.serving"
_INTEGERS: Final = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")


@dataclass(frozen=True)
class BatchingParameters:
    """How calls are merged and how many may wait.

    Attributes:
        max_batch_size: most rows of a batch.
        batch_timeout_micros: how long the oldest call waits for a batch to fill, even though a thread is free.
        max_enqueued_batches: this times `max_batch_size` rows may wait for each servable; more calls are refused.
        num_batch_threads: how many batches run at the same time.
        thread_pool_name: of the threads.
        allowed_batch_sizes: a batch is padded to the next of these sizes; in increasing order, the last one
            `max_batch_size`. Empty for all sizes.

    Raises:
        SettingsError: on building one with values out of range.
    """

    max_batch_size: int = 128
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 64
    num_batch_threads: int = 2
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, least in zip(_INTEGERS, (1, 0, 1, 1), strict=True):
            value = getattr(self, name)
            if value < least:
                raise SettingsError(f"{name} of the batching parameters is {value}; give {least} or more")
        sizes = self.allowed_batch_sizes
        if sizes and (sizes[0] < 1 or list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise SettingsError(
                f"allowed_batch_sizes of the batching parameters are {list(sizes)}; give increasing sizes, the last of "
                f"them max_batch_size, {self.max_batch_size}"
            )

    @classmethod
    def from_text_proto(cls, text: str) -> "BatchingParameters":
        """Reads what `--batching_parameters_file` names.

        Args:
            text: like `max_batch_size { value: 128 }  allowed_batch_sizes: [64, 128]`.

        Returns:
            The parameters; what is not in the text has our default.

        Raises:
            SettingsError: the text is no such message, a value is out of range, or pads what has no single length.
        """
        message = _message_class()()
        try:
            text_format.Parse(text, message)
        except text_format.ParseError as error:
            raise SettingsError(
                f"the batching parameters are no text of a tensorflow.serving.BatchingParameters: {error}; "
                "give fields like `max_batch_size { value: 128 }`"
            ) from None
        if message.pad_variable_length_inputs:
            raise SettingsError(
                "pad_variable_length_inputs is not supported here: inputs of different lengths run in different "
                "batches; pad them inside the signature, or leave the parameter out"
            )
        given = {
            name: getattr(message, name).value for name in (*_INTEGERS, "thread_pool_name") if message.HasField(name)
        }
        return cls(**given, allowed_batch_sizes=tuple(message.allowed_batch_sizes))

    def padded(self, rows: int) -> int:
        """The size that a batch of so many rows runs with."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


@functools.cache
def _message_class() -> Any:
    """The message of session_bundle_config.proto, which tensorflow-serving-api leaves out."""
    kind = descriptor_pb2.FieldDescriptorProto
    wrapped: dict[str, Any] = {"type": kind.TYPE_MESSAGE, "label": kind.LABEL_OPTIONAL}
    fields = [
        *(kind(name=name, type_name=".google.protobuf.Int64Value", **wrapped) for name in _INTEGERS),
        kind(name="thread_pool_name", type_name=".google.protobuf.StringValue", **wrapped),
        kind(name="allowed_batch_sizes", type=kind.TYPE_INT64, label=kind.LABEL_REPEATED),
        kind(name="pad_variable_length_inputs", type=kind.TYPE_BOOL, label=kind.LABEL_OPTIONAL),
    ]
    for number, field in enumerate(fields, start=1):
        field.number = number
    wrappers = descriptor_pb2.FileDescriptorProto.FromString(wrappers_pb2.DESCRIPTOR.serialized_pb)
    own = descriptor_pb2.FileDescriptorProto(
        name="batching_parameters.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers.name],
        message_type=[descriptor_pb2.DescriptorProto(name="BatchingParameters", field=fields)],
    )
    return message_factory.GetMessages([wrappers, own])[f"{_PACKAGE}.BatchingParameters"]

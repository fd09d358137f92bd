"""The limits of micro-batching, by the names of TensorFlow Serving's BatchingParameters."""

from dataclasses import dataclass
from typing import Final

from google.protobuf import text_format

from imdb_core.errors import SettingsError
from imdb_core.protos import declare

_PACKAGE: Final = "tensorflow.serving"
_INTEGERS: Final = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")

# Of session_bundle_config.proto, which tensorflow-serving-api leaves out.
_MESSAGE: Final = declare(
    "imdb_attention/batching_parameters.proto",
    _PACKAGE,
    {
        "BatchingParameters": {
            **dict.fromkeys(_INTEGERS, "google.protobuf.Int64Value"),
            "thread_pool_name": "google.protobuf.StringValue",
            "allowed_batch_sizes": "repeated int64",
            "pad_variable_length_inputs": "bool",
        }
    },
    "google/protobuf/wrappers.proto",
)["BatchingParameters"]


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
        message = _MESSAGE()
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

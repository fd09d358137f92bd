"""The files that flags name, which are protos in text format: batching parameters, TLS and monitoring."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf import text_format

from imdb_core.cores import usable_cores
from imdb_core.errors import SettingsError
from imdb_core.protos import declare

_PROMETHEUS_PATH: Final = "/monitoring/prometheus/metrics"

_PACKAGE: Final = "tensorflow.serving"
_LIMITS: Final = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")

# tensorflow-serving-api leaves these messages out.
_MESSAGES: Final = declare(
    "imdb_attention/flag_files.proto",
    _PACKAGE,
    {
        "BatchingParameters": {
            **dict.fromkeys(_LIMITS, "google.protobuf.Int64Value"),
            "thread_pool_name": "google.protobuf.StringValue",
            "allowed_batch_sizes": "repeated int64",
            "pad_variable_length_inputs": "bool",
        },
        "SSLConfig": {"server_key": "string", "server_cert": "string", "custom_ca": "string", "client_verify": "bool"},
        "PrometheusConfig": {"enable": "bool", "path": "string"},
        "MonitoringConfig": {"prometheus_config": f"{_PACKAGE}.PrometheusConfig"},
    },
    "google/protobuf/wrappers.proto",
)


@dataclass(frozen=True)
class BatchingParameters:
    """Limits of micro-batching, with the names of TensorFlow Serving's BatchingParameters.

    Attributes:
        max_batch_size: Maximum number of rows in a batch.
        batch_timeout_micros: Time that the oldest call waits for its batch to fill while a thread is free; None to wait
            for the calls that are about to arrive, and for no others.
        max_enqueued_batches: This number times `max_batch_size` rows may wait for each servable.
        num_batch_threads: Number of batches that run at the same time; by default one for each usable core.
        thread_pool_name: Prefix of the threads' names.
        allowed_batch_sizes: Sizes to which batches are padded, ascending up to `max_batch_size`; empty for no padding.

    Raises:
        SettingsError: A value is out of range.
    """

    max_batch_size: int = 128
    batch_timeout_micros: int | None = None
    max_enqueued_batches: int = 64
    num_batch_threads: int = field(default_factory=usable_cores)
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, least in zip(_LIMITS, (1, 0, 1, 1), strict=True):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SettingsError(f"{name} of the batching parameters is {value}; give {least} or more")
        sizes = self.allowed_batch_sizes
        if sizes and (sizes[0] < 1 or list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise SettingsError(
                f"allowed_batch_sizes of the batching parameters are {list(sizes)}; give increasing sizes that end "
                f"with max_batch_size, {self.max_batch_size}"
            )

    def padded(self, rows: int) -> int:
        """Returns the size to which a batch of `rows` rows is padded."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


@dataclass(frozen=True)
class SslConfig:
    """Keys and certificates of the gRPC server, all in PEM format."""

    server_key: bytes
    server_cert: bytes  # followed by the certificates of the authorities that signed it
    custom_ca: bytes  # certificates of the authorities that sign the clients' certificates; may be empty
    client_verify: bool  # whether clients must present a certificate


def read_batching_parameters(file: Path) -> BatchingParameters:
    """Reads the file of `--batching_parameters_file`; missing fields have our defaults.

    Raises:
        SettingsError: The file is not a readable BatchingParameters, has values out of range, or sets
            `pad_variable_length_inputs`.
    """
    example = "give fields like `max_batch_size { value: 128 }`"
    message = read_text_proto(file, _MESSAGES["BatchingParameters"](), example)
    if message.pad_variable_length_inputs:
        raise SettingsError(
            f"{file} sets pad_variable_length_inputs, which is not supported: inputs of different lengths run in "
            "different batches; pad them inside the signature, or leave the parameter out"
        )
    given = {name: getattr(message, name).value for name in (*_LIMITS, "thread_pool_name") if message.HasField(name)}
    return BatchingParameters(**given, allowed_batch_sizes=tuple(message.allowed_batch_sizes))


def read_ssl_config(file: Path) -> SslConfig:
    """Reads the file of `--ssl_config_file`, which contains the keys and certificates themselves, not their paths.

    Raises:
        SettingsError: The file is not a readable SSLConfig, or lacks a key or certificate.
    """
    # The parser's message quotes the line, which may be a private key.
    message = read_text_proto(file, _MESSAGES["SSLConfig"](), "give server_key and server_cert", hide_content=True)
    if not message.server_key or not message.server_cert:
        raise SettingsError(f"{file} lacks server_key or server_cert; give both, as PEM")
    if message.client_verify and not message.custom_ca:
        raise SettingsError(
            f"{file} has client_verify and no custom_ca; give the certificates of the authorities that sign the "
            "clients' certificates"
        )
    return SslConfig(
        message.server_key.encode(), message.server_cert.encode(), message.custom_ca.encode(), message.client_verify
    )


def read_prometheus_path(file: Path) -> str | None:
    """Reads the URL path of the metrics from the file of `--monitoring_config_file`; returns None if they are off.

    Raises:
        SettingsError: The file is not a readable MonitoringConfig, or the path does not start with a slash.
    """
    example = f'give `prometheus_config {{ enable: true path: "{_PROMETHEUS_PATH}" }}`'
    config = read_text_proto(file, _MESSAGES["MonitoringConfig"](), example).prometheus_config
    if not config.enable:
        return None
    path = config.path or _PROMETHEUS_PATH
    if not path.startswith("/"):
        raise SettingsError(
            f"{file} has prometheus_config.path {path!r}; give a path that starts with a slash, like {_PROMETHEUS_PATH}"
        )
    return str(path)


def read_text_proto(file: Path, message: Any, advice: str, *, hide_content: bool = False) -> Any:
    """Reads a message in text format into an empty message of its type, and returns it.

    Args:
        file: The file.
        message: The empty message.
        advice: What to do about an invalid file, for the error message.
        hide_content: Whether the error message must not quote the file.

    Raises:
        SettingsError: The file cannot be read or does not hold such a message.
    """
    name = message.DESCRIPTOR.full_name
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), message)
    except OSError as error:
        raise SettingsError(f"cannot read the {message.DESCRIPTOR.name} file {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        reason = str(error)
    except text_format.ParseError as error:
        reason = f"line {error.GetLine()}, column {error.GetColumn()}" if hide_content else str(error)
    raise SettingsError(f"{file}: Error parsing text-format {name}: {reason}; {advice}")

"""The server's options: tensorflow_model_server's flags, as far as this server honours them. Imports nothing heavy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails

from imdb_core.errors import SettingsError
from imdb_core.validation import expectation
from serving.server.config.batching_parameters import BatchingParameters
from serving.server.config.side_files import SslConfig, read_prometheus_path, read_ssl_config

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=0)]

_INT32_MAX: Final = 2**31 - 1
_MESSAGE_LENGTH: Final = "grpc.max_receive_message_length"


class ServerOptions(BaseModel):
    """What a server is told at its start; names and defaults are TensorFlow Serving's, but for `host`, which is ours.

    Attributes:
        model_name, model_base_path: one model, and the folder of its versions.
        model_config_file: or many; a ModelServerConfig as text.
        model_config_file_poll_wait_seconds: between looks at this file; 0 is never again.
        file_system_poll_wait_seconds: between looks for new versions; 0 is once.
        allow_version_labels_for_unavailable_models: whether a new label may name a version that is not loaded.
        port: of gRPC; 0 for any that is free.
        rest_api_port: of HTTP, 8501 as in the official image; 0 for none.
        host: address to listen on; only this machine's own clients reach the default.
        grpc_socket_path: Unix socket on which gRPC is served too.
        ssl_config_file: SSLConfig as text.
        grpc_channel_arguments: like `grpc.max_receive_message_length=4194304,grpc.max_connection_age_ms=2000`.
        rest_api_timeout_in_ms: what a REST request may take.
        enforce_session_run_timeout: whether a client's deadline ends the run of the model.
        enable_batching, batching_parameters_file: BatchingParameters as text, for the second; the first alone leaves
            the defaults.
        enable_model_warmup: whether a version's warm-up requests are replayed before it is available.
        max_num_load_retries: how often a load that failed is tried again.
        load_retry_interval_micros: before each of them; a negative number is no time.
        num_load_threads: how many versions are loaded at the same time; 0 for one of each model.
        enable_grpc_healthcheck_service: whether `grpc.health.v1` is served.
        monitoring_config_file: MonitoringConfig as text.

    Raises:
        SettingsError: on building one: an option is unknown, of the wrong type or out of range, or contradicts another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())

    model_name: Annotated[str, Field(min_length=1)] = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: Seconds = 0.0
    file_system_poll_wait_seconds: Seconds = 1.0
    allow_version_labels_for_unavailable_models: bool = False
    port: Port = 8500
    rest_api_port: Port = 8501
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    grpc_socket_path: str = ""
    ssl_config_file: str = ""
    grpc_channel_arguments: str = ""
    rest_api_timeout_in_ms: Annotated[int, Field(ge=1)] = 30_000
    enforce_session_run_timeout: bool = True
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_model_warmup: bool = True
    max_num_load_retries: Count = 5
    load_retry_interval_micros: int = 60_000_000
    num_load_threads: Count = 0
    enable_grpc_healthcheck_service: bool = False
    monitoring_config_file: str = ""

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line_each(cls, values: object, build: ModelWrapValidatorHandler["ServerOptions"]) -> "ServerOptions":
        try:
            options = build(values)
        except ValidationError as error:
            raise SettingsError("\n".join(_explain(details) for details in error.errors())) from None
        options._check_pairs()
        return options

    def model_server_config(self) -> "ModelServerConfig":
        """Returns the models to start with.

        Raises:
            SettingsError: `model_config_file` cannot be read.
        """
        from serving.server.config.model_config import read_model_config, single_model

        if self.model_config_file:
            return read_model_config(Path(self.model_config_file))
        return single_model(self.model_name, self.model_base_path)

    def batching_parameters(self) -> BatchingParameters:
        """Returns what calls are batched by.

        Raises:
            SettingsError: `batching_parameters_file` cannot be read.
        """
        if not self.batching_parameters_file:
            return BatchingParameters()
        try:
            text = Path(self.batching_parameters_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SettingsError(
                f"cannot read the batching parameters file {self.batching_parameters_file}: {reason}"
            ) from None
        return BatchingParameters.from_text_proto(text)

    def ssl_config(self) -> SslConfig | None:
        """Returns keys and certificates; None for plain text.

        Raises:
            SettingsError: `ssl_config_file` cannot be read, or lacks what TLS needs.
        """
        return read_ssl_config(Path(self.ssl_config_file)) if self.ssl_config_file else None

    def prometheus_path(self) -> str | None:
        """Returns the URL's path at which metrics are; None for no metrics.

        Raises:
            SettingsError: `monitoring_config_file` cannot be read.
        """
        return read_prometheus_path(Path(self.monitoring_config_file)) if self.monitoring_config_file else None

    @property
    def channel_arguments(self) -> dict[str, int | str]:
        """The value of each of `grpc_channel_arguments`, a number where it can be one."""
        arguments: dict[str, int | str] = {}
        for argument in filter(None, self.grpc_channel_arguments.split(",")):
            key, _, value = argument.partition("=")
            arguments[key.strip()] = _number_or_text(value.strip())
        return arguments

    @property
    def max_request_bytes(self) -> int:
        """The longest request, of gRPC and of REST: as `grpc_channel_arguments` say, or else 2 GiB."""
        given = self.channel_arguments.get(_MESSAGE_LENGTH)
        return given if isinstance(given, int) and given >= 0 else _INT32_MAX

    @property
    def load_retry_seconds(self) -> float:
        """`load_retry_interval_micros` in seconds."""
        return max(0, self.load_retry_interval_micros) / 1e6

    def _check_pairs(self) -> None:
        given = self.model_fields_set
        if self.model_config_file and (self.model_base_path or "model_name" in given):
            raise SettingsError(
                f"--model_config_file={self.model_config_file} says which models there are, so --model_name and "
                "--model_base_path have no meaning beside it; leave out one or the other"
            )
        if not self.model_config_file and not self.model_base_path:
            raise SettingsError("no model is given; give --model_base_path and --model_name, or --model_config_file")
        if self.port and self.port == self.rest_api_port:
            raise SettingsError(f"--port and --rest_api_port are both {self.port}; give different ones")
        if self.batching_parameters_file and not self.enable_batching:
            raise SettingsError(
                f"--batching_parameters_file={self.batching_parameters_file} is given without --enable_batching; "
                "give both or neither"
            )
        if self.model_config_file_poll_wait_seconds and not self.model_config_file:
            raise SettingsError("--model_config_file_poll_wait_seconds is given without a --model_config_file to read")
        for argument in filter(None, self.grpc_channel_arguments.split(",")):
            key, equals, _ = argument.partition("=")
            if not key.strip() or not equals:
                raise SettingsError(
                    f"--grpc_channel_arguments has {argument!r}; give key=value, with commas between several"
                )


def _number_or_text(value: str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value


def _explain(details: ErrorDetails) -> str:
    """One line for one of pydantic's errors."""
    name = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return f"unknown option --{name}; there are {', '.join(ServerOptions.model_fields)}"
    return f"--{name}={details['input']}: {expectation(details)}"

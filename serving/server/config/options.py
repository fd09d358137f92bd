"""The options of the server: the flags of tensorflow_model_server, and some more. Imports nothing heavy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from imdb_core.errors import SettingsError
from imdb_core.validation import expectation
from serving.server.config.flag_files import (
    BatchingParameters,
    SslConfig,
    read_batching_parameters,
    read_prometheus_path,
    read_ssl_config,
)

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

Port = Annotated[int, Field(ge=0, le=65535)]

_INT32_MAX: Final = 2**31 - 1
_MESSAGE_LENGTH: Final = "grpc.max_receive_message_length"


class ServerOptions(BaseModel):
    """The flags of `imdb-attention serve`, whose help describes them.

    Names and defaults are TensorFlow Serving's; `host` and the limits at the end are ours. A negative
    `load_retry_interval_micros` counts as 0, and `num_request_iterations_for_warmup` below 1 as 1. The flags in
    `config.unused_flags` are no options.

    The methods raise SettingsError if the file that they read is not valid.

    Raises:
        SettingsError: An option is unknown, of the wrong type or out of range, or contradicts another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())

    model_name: Annotated[str, Field(min_length=1)] = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: NonNegativeFloat = 0.0
    file_system_poll_wait_seconds: NonNegativeFloat = 1.0
    allow_version_labels_for_unavailable_models: bool = False
    port: Port = 8500
    rest_api_port: Port = 8501
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    grpc_socket_path: str = ""
    ssl_config_file: str = ""
    grpc_channel_arguments: str = ""
    rest_api_timeout_in_ms: PositiveInt = 30_000
    rest_api_enable_cors_support: bool = False
    enforce_session_run_timeout: bool = True
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    max_num_load_retries: NonNegativeInt = 5
    load_retry_interval_micros: int = 60_000_000
    num_load_threads: NonNegativeInt = 0
    saved_model_tags: str = "serve"
    enable_signature_method_name_check: bool = False
    use_alts_credentials: bool = False
    enable_grpc_healthcheck_service: bool = False
    monitoring_config_file: str = ""
    max_connections: PositiveInt = 1000
    client_timeout_in_ms: PositiveInt = 30_000
    max_tensor_bytes: PositiveInt = 2**28
    max_pending_bytes: PositiveInt = 2**30
    max_rows_per_run: NonNegativeInt = 1024
    require_signature: str = ""

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
        """Returns the config of the models."""
        from serving.server.config.model_config import read_model_config, single_model

        if self.model_config_file:
            return read_model_config(Path(self.model_config_file))
        return single_model(self.model_name, self.model_base_path)

    def batching_parameters(self) -> BatchingParameters:
        """Returns the limits of batches; the defaults without `batching_parameters_file`."""
        file = self.batching_parameters_file
        return read_batching_parameters(Path(file)) if file else BatchingParameters()

    def ssl_config(self) -> SslConfig | None:
        """Returns the keys and certificates; None for a server without TLS."""
        return read_ssl_config(Path(self.ssl_config_file)) if self.ssl_config_file else None

    def prometheus_path(self) -> str | None:
        """Returns the URL path of the metrics; None if they are off."""
        return read_prometheus_path(Path(self.monitoring_config_file)) if self.monitoring_config_file else None

    @property
    def channel_arguments(self) -> dict[str, int | str]:
        """`grpc_channel_arguments` as key → value, with numbers as int."""
        arguments: dict[str, int | str] = {}
        for argument in filter(None, self.grpc_channel_arguments.split(",")):
            key, _, value = argument.partition("=")
            arguments[key.strip()] = _number_or_text(value.strip())
        return arguments

    @property
    def max_request_bytes(self) -> int:
        """Maximum size of a gRPC or REST request: that of `grpc_channel_arguments`, by default 2 GiB."""
        given = self.channel_arguments.get(_MESSAGE_LENGTH)
        return given if isinstance(given, int) and given >= 0 else _INT32_MAX

    @property
    def client_seconds(self) -> float:
        """`client_timeout_in_ms` in seconds."""
        return self.client_timeout_in_ms / 1000

    @property
    def load_retry_seconds(self) -> float:
        """`load_retry_interval_micros` in seconds."""
        return max(0, self.load_retry_interval_micros) / 1e6

    @property
    def tags(self) -> tuple[str, ...]:
        """`saved_model_tags` one by one."""
        return tuple(tag.strip() for tag in self.saved_model_tags.split(","))

    def _check_pairs(self) -> None:
        given = self.model_fields_set
        if self.use_alts_credentials:
            raise SettingsError("--use_alts_credentials is not supported; give --ssl_config_file for TLS")
        if self.model_config_file and (self.model_base_path or "model_name" in given):
            raise SettingsError(
                f"--model_config_file={self.model_config_file} already lists the models; leave it out, or leave out "
                "--model_name and --model_base_path"
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
    """Describes one of pydantic's errors in one line."""
    name = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return f"unknown option --{name}; there are {', '.join(ServerOptions.model_fields)}"
    return f"--{name}={details['input']}: {expectation(details)}"

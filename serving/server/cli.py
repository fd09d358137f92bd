"""`imdb-attention serve` and `python -m serving.server`: TensorFlow Serving's flags. Imports nothing heavy."""

import os
from pathlib import Path
from typing import Any, Final

import click

_SCHEMAS: Final = Path(__file__).resolve().parents[2] / "schemas" / "serving"
_MODEL_FLAGS: Final = ("model_name", "model_base_path", "model_config_file")

_FLAGS: Final[tuple[tuple[str, type, str], ...]] = (
    ("model_name", str, "Name of the model that --model_base_path holds."),
    ("model_base_path", str, "Folder of the model's versions, which are folders named by numbers."),
    (
        "model_config_file",
        str,
        "ModelServerConfig as text: models, version policies, labels. Instead of the two above.",
    ),
    ("model_config_file_poll_wait_seconds", float, "Read that file again this often; 0 for never. [default: 0]"),
    ("file_system_poll_wait_seconds", float, "Look for versions this often; 0 for once. [default: 1]"),
    ("allow_version_labels_for_unavailable_models", bool, "Take new labels for versions that are not loaded yet."),
    ("port", int, "Of gRPC; 0 for any that is free, and then a --rest_api_port of 0 too. [default: 8500]"),
    ("rest_api_port", int, "Of HTTP; 0 for none. [default: 8501]"),
    ("host", str, "Address to listen on; 0.0.0.0 for all of this machine's. [default: 127.0.0.1]"),
    ("grpc_socket_path", str, "Unix socket on which gRPC is served too."),
    ("ssl_config_file", str, "SSLConfig as text: keys and certificates for gRPC."),
    ("grpc_channel_arguments", str, "Like grpc.max_receive_message_length=4194304, which limits REST bodies too."),
    ("rest_api_timeout_in_ms", int, "What a REST request may take. [default: 30000]"),
    ("enforce_session_run_timeout", bool, "A gRPC client's deadline ends the run of the model. [default: true]"),
    ("enable_batching", bool, "Batch by --batching_parameters_file."),
    ("batching_parameters_file", str, "BatchingParameters as text: max_batch_size and so on."),
    ("enable_model_warmup", bool, "Replay a version's warm-up requests before it is available. [default: true]"),
    ("max_num_load_retries", int, "How often to try again to load a version. [default: 5]"),
    ("load_retry_interval_micros", int, "How long to wait before that. [default: 60000000]"),
    ("num_load_threads", int, "How many versions are loaded at the same time."),
    ("enable_grpc_healthcheck_service", bool, "Serve grpc.health.v1."),
    ("monitoring_config_file", str, "MonitoringConfig as text: switches Prometheus' metrics on, on the REST port."),
)


def _option(name: str, kind: type, text: str) -> click.Option:
    if kind is bool:  # `--flag`, `--flag=true` and `--flag=false` are all TensorFlow Serving's
        return click.Option([f"--{name}"], type=bool, is_flag=False, flag_value="true", metavar="[=BOOLEAN]", help=text)
    return click.Option([f"--{name}"], type=kind, help=text)


def _serve(**flags: Any) -> None:
    """Serve models over TensorFlow Serving's gRPC and REST API.

    Takes tensorflow_model_server's flags. Without a model it serves the workspace: what models/models.config says,
    which the `models` commands change.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given = {name: value for name, value in flags.items() if value is not None}
    if not given.keys() & set(_MODEL_FLAGS):
        given = {**_workspace_flags(), **given}
    from serving.server.config.options import ServerOptions

    options = ServerOptions.model_validate(given)
    from serving.server.process import run

    raise SystemExit(run(options))


def _workspace_flags() -> dict[str, Any]:
    from serving.releases.model_config import ensure

    models = Path(os.environ.get("IMDB_WORKSPACE") or "workspace").expanduser().resolve() / "models"
    return {
        "model_config_file": str(ensure(models)),
        "model_config_file_poll_wait_seconds": 1,
        "allow_version_labels_for_unavailable_models": True,
        # A pushed version never changes: one that did not load will not, and whoever promotes it waits for the verdict.
        "max_num_load_retries": 1,
        "load_retry_interval_micros": 1_000_000,
        "monitoring_config_file": str(_SCHEMAS / "monitoring.config"),
    }


serve = click.Command(
    "serve",
    callback=_serve,
    help=_serve.__doc__,
    params=[_option(*flag) for flag in _FLAGS],
    context_settings={"help_option_names": ["-h", "--help"]},
)

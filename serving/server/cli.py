"""The command `imdb-attention serve`, with the flags of tensorflow_model_server. Imports nothing heavy."""

import os
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import click

from imdb_core.user_paths import UserPath
from imdb_core.workspace import workspace_path
from serving.server.config.unused_flags import WITHOUT_EFFECT

_SCHEMAS: Final = Path(__file__).resolve().parents[2] / "schemas" / "serving"
_MODEL_FLAGS: Final = ("model_name", "model_base_path", "model_config_file")

_FLAGS: Final[tuple[tuple[str, type, str], ...]] = (
    ("model_name", str, "Name of the model in --model_base_path."),
    ("model_base_path", Path, "Folder of one model, whose versions are subfolders named by numbers."),
    (
        "model_config_file",
        Path,
        "ModelServerConfig in text format: models, version policies, labels. Replaces the two above.",
    ),
    ("model_config_file_poll_wait_seconds", float, "Time between reads of that file; 0 to read it once. [default: 0]"),
    ("file_system_poll_wait_seconds", float, "Time between searches for new versions; 0 to search once. [default: 1]"),
    ("allow_version_labels_for_unavailable_models", bool, "Allow new labels for versions that are not loaded."),
    ("port", int, "Port of gRPC; 0 for any free port, then a --rest_api_port of 0 too. [default: 8500]"),
    ("rest_api_port", int, "Port of REST; 0 for no REST. [default: 8501]"),
    ("host", str, "Address to listen on; 0.0.0.0 for all interfaces. [default: 127.0.0.1]"),
    ("grpc_socket_path", Path, "Unix socket that serves gRPC too."),
    ("ssl_config_file", Path, "SSLConfig in text format: keys and certificates for gRPC."),
    ("grpc_channel_arguments", str, "Such as grpc.max_receive_message_length=4194304, which limits REST bodies too."),
    ("rest_api_timeout_in_ms", int, "Time limit of a REST request. [default: 30000]"),
    ("rest_api_enable_cors_support", bool, "Let web pages of other servers call the REST API."),
    ("enforce_session_run_timeout", bool, "End the run of the model at a gRPC client's deadline. [default: true]"),
    ("enable_batching", bool, "Allow --batching_parameters_file."),
    ("batching_parameters_file", Path, "BatchingParameters in text format: max_batch_size and so on."),
    ("enable_model_warmup", bool, "Replay a version's warm-up requests before it is available. [default: true]"),
    ("num_request_iterations_for_warmup", int, "Number of times each warm-up request is replayed. [default: 1]"),
    ("saved_model_tags", str, "Tags of the graph to load, with commas between several. [default: serve]"),
    (
        "enable_signature_method_name_check",
        bool,
        "Let Classify and Regress call only signatures of their method; those of TensorFlow 2 have none.",
    ),
    ("use_alts_credentials", bool, "Not supported; give --ssl_config_file for TLS."),
    ("max_num_load_retries", int, "Number of times a failed load is retried. [default: 5]"),
    ("load_retry_interval_micros", int, "Time before each retry. [default: 60000000]"),
    ("num_load_threads", int, "Number of versions that load at the same time; 0 for one per model."),
    ("enable_grpc_healthcheck_service", bool, "Serve grpc.health.v1."),
    ("monitoring_config_file", Path, "MonitoringConfig in text format: Prometheus metrics on the REST port."),
    (
        "max_connections",
        int,
        "Connections to gRPC and as many to REST; further ones are refused. [default: 1000]",
    ),
    (
        "client_timeout_in_ms",
        int,
        "Time for a client to send a request or read a response; more while it moves 1 KiB/s. [default: 30000]",
    ),
    ("max_tensor_bytes", int, "Memory that one request may take, message and tensors. [default: 268435456]"),
    ("max_pending_bytes", int, "Memory of all requests in progress. [default: 1073741824]"),
    (
        "max_rows_per_run",
        int,
        "Rows of a request that go through the model at once; a longer request runs in pieces; 0 for no limit. "
        "[default: 1024]",
    ),
    (
        "require_signature",
        Path,
        "Load only versions that the owner of this public key has signed; needs the extra `signing`.",
    ),
)


def _option(name: str, kind: type, text: str) -> click.Option:
    if kind is bool:  # TensorFlow Serving accepts `--flag`, `--flag=true` and `--flag=false`
        return click.Option([f"--{name}"], type=bool, is_flag=False, flag_value="true", metavar="[=BOOLEAN]", help=text)
    return click.Option([f"--{name}"], type=UserPath() if kind is Path else kind, help=text)


def _show_version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    del option
    if wanted:
        versions = {name: metadata.version(name) for name in ("imdb-attention", "tensorflow-serving-api", "tensorflow")}
        click.echo(
            f"imdb-attention: {versions['imdb-attention']}\n"
            f"TensorFlow ModelServer API: {versions['tensorflow-serving-api']}\n"
            f"TensorFlow Library: {versions['tensorflow']}"
        )
        context.exit()


def _serve(**flags: Any) -> None:
    """Serve models over TensorFlow Serving's gRPC and REST API.

    Takes the flags of tensorflow_model_server. Without a model, it serves the models of the workspace as
    models/models.config lists them; the `models` commands change that file. Flags of tensorflow_model_server that are
    not listed here are accepted; a warning says why they change nothing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given = {name: value for name, value in flags.items() if value is not None}
    if unused := sorted(given.keys() & WITHOUT_EFFECT.keys()):
        reasons = "; ".join(f"--{name}: {WITHOUT_EFFECT[name]}" for name in unused)
        click.echo(f"Warning: these flags of tensorflow_model_server change nothing here: {reasons}", err=True)
    given = {name: value for name, value in given.items() if name not in WITHOUT_EFFECT}
    if not given.keys() & set(_MODEL_FLAGS):
        given = {**_workspace_flags(), **given}
    from serving.server.config.options import ServerOptions

    options = ServerOptions.model_validate(given)
    from serving.server.process import run

    raise SystemExit(run(options))


def _workspace_flags() -> dict[str, Any]:
    from serving.releases.model_config import ensure

    return {
        "model_config_file": str(ensure(workspace_path() / "models")),
        "model_config_file_poll_wait_seconds": 1,
        "allow_version_labels_for_unavailable_models": True,
        # A pushed version never changes, so a failed load fails again, and a promotion waits for the outcome.
        "max_num_load_retries": 1,
        "load_retry_interval_micros": 1_000_000,
        "monitoring_config_file": str(_SCHEMAS / "monitoring.config"),
    }


serve = click.Command(
    "serve",
    callback=_serve,
    help=_serve.__doc__,
    params=[
        *(_option(*flag) for flag in _FLAGS),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show versions.",
        ),
        *(click.Option([f"--{name}"], is_flag=False, flag_value="true", hidden=True) for name in WITHOUT_EFFECT),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)

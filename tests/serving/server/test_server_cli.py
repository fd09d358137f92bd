from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from imdb_core.errors import SettingsError
from serving.server import cli, process
from serving.server.config.options import ServerOptions
from serving.server.config.unused_flags import WITHOUT_EFFECT


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ServerOptions]:
    """Records the options instead of starting a server."""
    seen: list[ServerOptions] = []

    def run(options: ServerOptions) -> int:
        seen.append(options)
        return 0

    monkeypatch.setattr(process, "run", run)
    return seen


def serve(*flags: str) -> None:
    result = CliRunner().invoke(cli.serve, flags, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_every_option_is_a_flag_and_every_flag_an_option() -> None:
    assert {parameter.name for parameter in cli.serve.params} == {
        *ServerOptions.model_fields,
        *WITHOUT_EFFECT,
        "version",
    }


# The flags of main.cc at tag 2.16.1, and two that later versions have.
TENSORFLOW_SERVING = [
    "allow_version_labels_for_unavailable_models",
    "batching_parameters_file",
    "enable_batching",
    "enable_grpc_healthcheck_service",
    "enable_model_warmup",
    "enable_per_model_batching_parameters",
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "enable_signature_method_name_check",
    "enforce_session_run_timeout",
    "file_system_poll_wait_seconds",
    "flush_filesystem_caches",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "grpc_socket_path",
    "load_retry_interval_micros",
    "max_num_load_retries",
    "mixed_precision",
    "model_base_path",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "model_name",
    "monitoring_config_file",
    "num_load_threads",
    "num_request_iterations_for_warmup",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "platform_config_file",
    "port",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "rest_api_enable_cors_support",
    "rest_api_num_threads",
    "rest_api_port",
    "rest_api_timeout_in_ms",
    "saved_model_tags",
    "skip_initialize_tpu",
    "ssl_config_file",
    "tensorflow_inter_op_parallelism",
    "tensorflow_intra_op_parallelism",
    "tensorflow_session_config_file",
    "tensorflow_session_parallelism",
    "thread_pool_factory_config_file",
    "use_alts_credentials",
    "version",
    "xla_cpu_compilation_enabled",
]


def test_every_flag_of_tensorflow_serving_is_known() -> None:
    assert len(TENSORFLOW_SERVING) == 48
    assert set(TENSORFLOW_SERVING) <= {parameter.name for parameter in cli.serve.params}


def test_flags_that_change_nothing_are_accepted_with_one_warning(started: list[ServerOptions]) -> None:
    given = [f"--{name}=1" for name in WITHOUT_EFFECT]
    result = CliRunner().invoke(cli.serve, ["--model_base_path=/m", *given, "--enable_profiler"])
    assert (result.exit_code, started) == (0, [ServerOptions(model_base_path="/m")])
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Warning: these flags of tensorflow_model_server change nothing here: --enable_p")
    for name, reason in WITHOUT_EFFECT.items():
        assert f"--{name}: {reason}" in result.stderr


def test_the_version_is_shown_without_a_model(started: list[ServerOptions]) -> None:
    result = CliRunner().invoke(cli.serve, ["--version"])
    assert result.exit_code == 0
    assert result.output == (
        f"imdb-attention: {version('imdb-attention')}\n"
        f"TensorFlow ModelServer API: {version('tensorflow-serving-api')}\n"
        f"TensorFlow Library: {version('tensorflow')}\n"
    )
    assert started == []


def test_the_help_shows_the_defaults() -> None:
    helps = {parameter.name: parameter.help for parameter in cli.serve.params if isinstance(parameter, click.Option)}
    for name, field in ServerOptions.model_fields.items():
        if field.default not in ("", False, "default") or name.endswith("_seconds"):
            default = (
                "true"
                if field.default is True
                else f"{field.default:g}"
                if name.endswith("_seconds")
                else field.default
            )
            assert helps[name].endswith(f" [default: {default}]")


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        ("--port=1", "port", 1),
        ("--rest_api_port=0", "rest_api_port", 0),
        ("--file_system_poll_wait_seconds=0.5", "file_system_poll_wait_seconds", 0.5),
        ("--enable_batching", "enable_batching", True),
        ("--enable_batching=true", "enable_batching", True),
        ("--enable_batching=1", "enable_batching", True),
        ("--enable_model_warmup=false", "enable_model_warmup", False),
        ("--grpc_channel_arguments=a=1,b=c", "grpc_channel_arguments", "a=1,b=c"),
    ],
)
def test_flags_are_spelled_as_tensorflow_servings(
    started: list[ServerOptions], flag: str, name: str, value: Any
) -> None:
    serve("--model_base_path=/models/m", flag, "--model_name=m")
    assert (getattr(started[0], name), started[0].model_name) == (value, "m")


def test_a_tilde_is_the_home_folder_in_every_path(
    started: list[ServerOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    flags = {
        name
        for name in ServerOptions.model_fields
        if name.endswith(("_path", "_file", "_signature")) and not name.startswith("model_")
    }
    given = [f"--{name}=~/x" for name in flags]
    serve("--model_base_path=~/x", "--model_name=m", "--enable_batching", *given)
    serve("--model_config_file=~/x")
    assert {getattr(started[0], name) for name in (*flags, "model_base_path")} == {"/home/ada/x"}
    assert started[1].model_config_file == "/home/ada/x"


def test_missing_flags_have_their_defaults(started: list[ServerOptions]) -> None:
    serve("--model_base_path=/models/m")
    assert started == [ServerOptions(model_base_path="/models/m")]


def test_without_a_model_the_workspace_is_served(
    started: list[ServerOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMDB_WORKSPACE", str(tmp_path))
    serve("--port=1234")
    config = tmp_path / "models" / "models.config"
    assert "imdb_attention" in config.read_text()
    expected = ServerOptions(
        model_config_file=str(config),
        model_config_file_poll_wait_seconds=1,
        allow_version_labels_for_unavailable_models=True,
        max_num_load_retries=1,
        load_retry_interval_micros=1_000_000,
        monitoring_config_file=started[0].monitoring_config_file,
        port=1234,
    )
    assert started == [expected]
    assert expected.prometheus_path() == "/monitoring/prometheus/metrics"


def test_an_invalid_flag_is_a_settings_error(started: list[ServerOptions]) -> None:
    with pytest.raises(SettingsError, match="--port=70000"):
        serve("--model_base_path=/models/m", "--port=70000")
    assert started == []


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )


def test_the_module_reports_an_error_in_one_line() -> None:
    result = python("-m", "serving.server", "--model_base_path=/models/m", "--batching_parameters_file=/b")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: --batching_parameters_file=/b is given without --enable_batching; give both or neither\n"
    )


def test_the_help_imports_nothing_heavy() -> None:
    result = python("-c", "import sys, serving.server.cli; print(*sys.modules)")
    assert not {"tensorflow", "grpc", "pydantic", "google.protobuf", "numpy"} & set(result.stdout.split())

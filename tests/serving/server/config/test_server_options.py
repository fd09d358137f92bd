from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from imdb_core.errors import SettingsError
from serving.server.config.flag_files import BatchingParameters
from serving.server.config.model_config import single_model
from serving.server.config.options import ServerOptions

MODEL = {"model_base_path": "/models/m"}


def test_defaults_are_those_of_tensorflow_serving_and_its_docker_image() -> None:
    assert ServerOptions(**MODEL).model_dump() == {
        "model_name": "default",
        "model_base_path": "/models/m",
        "model_config_file": "",
        "model_config_file_poll_wait_seconds": 0.0,
        "file_system_poll_wait_seconds": 1.0,
        "allow_version_labels_for_unavailable_models": False,
        "port": 8500,
        "rest_api_port": 8501,
        "host": "127.0.0.1",
        "grpc_socket_path": "",
        "ssl_config_file": "",
        "grpc_channel_arguments": "",
        "rest_api_timeout_in_ms": 30_000,
        "rest_api_enable_cors_support": False,
        "enforce_session_run_timeout": True,
        "enable_batching": False,
        "batching_parameters_file": "",
        "enable_model_warmup": True,
        "num_request_iterations_for_warmup": 0,
        "max_num_load_retries": 5,
        "load_retry_interval_micros": 60_000_000,
        "num_load_threads": 0,
        "saved_model_tags": "serve",
        "enable_signature_method_name_check": False,
        "use_alts_credentials": False,
        "enable_grpc_healthcheck_service": False,
        "monitoring_config_file": "",
        # Ours.
        "max_connections": 1000,
        "client_timeout_in_ms": 30_000,
        "max_tensor_bytes": 256 * 2**20,
        "max_pending_bytes": 2**30,
        "max_rows_per_run": 1024,
        "require_signature": "",
    }


def test_options_are_immutable() -> None:
    options = ServerOptions(**MODEL)
    with pytest.raises(ValidationError):
        options.port = 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no model is given; give --model_base_path and --model_name, or --model_config_file"),
        ({"model_name": "m"}, "no model is given"),
        ({**MODEL, "use_alts_credentials": True}, "--use_alts_credentials is not supported; give --ssl_config_file"),
        ({**MODEL, "model_config_file": "/f"}, "--model_config_file=/f already lists the models"),
        ({"model_name": "m", "model_config_file": "/f"}, "--model_config_file=/f already lists the models"),
        ({**MODEL, "model_config_file_poll_wait_seconds": 1}, "without a --model_config_file to read"),
        ({**MODEL, "port": 8501}, "--port and --rest_api_port are both 8501; give different ones"),
        ({**MODEL, "batching_parameters_file": "/f"}, "--batching_parameters_file=/f is given without --enable_batch"),
        ({**MODEL, "grpc_channel_arguments": "a=1,b"}, "--grpc_channel_arguments has 'b'; give key=value"),
        ({**MODEL, "port": 65536}, "--port=65536: expected less than or equal to 65535"),
        ({**MODEL, "port": -1}, "--port=-1: expected greater than or equal to 0"),
        ({**MODEL, "port": "8500"}, "--port=8500: expected a whole number"),
        ({**MODEL, "enable_batching": "yes"}, "--enable_batching=yes: expected true or false"),
        ({**MODEL, "host": ""}, "--host=: the text should have at least 1 character"),
        ({**MODEL, "file_system_poll_wait_seconds": float("nan")}, "--file_system_poll_wait_seconds=nan: "),
        ({**MODEL, "file_system_poll_wait_seconds": -1.0}, "--file_system_poll_wait_seconds=-1.0: "),
        ({**MODEL, "max_num_load_retries": -1}, "--max_num_load_retries=-1: "),
        ({**MODEL, "rest_api_timeout_in_ms": 0}, "--rest_api_timeout_in_ms=0: "),
        ({**MODEL, "use_tflite": True}, "unknown option --use_tflite; there are model_name, model_base_path, "),
    ],
)
def test_an_invalid_option_is_explained_in_one_line(given: dict[str, Any], message: str) -> None:
    for build in (ServerOptions.model_validate, lambda given: ServerOptions(**given)):
        with pytest.raises(SettingsError) as raised:
            build(given)
        assert str(raised.value).startswith(message) or message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_all_invalid_options_are_reported_at_once() -> None:
    with pytest.raises(SettingsError, match=r"^--port=x: .*\n--host=1: expected text$"):
        ServerOptions.model_validate({**MODEL, "port": "x", "host": 1})


def test_both_ports_may_be_any_free_port() -> None:
    options = ServerOptions(**MODEL, port=0, rest_api_port=0)
    assert (options.port, options.rest_api_port) == (0, 0)


def test_the_models_come_from_flags_or_from_a_file(tmp_path: Path) -> None:
    assert ServerOptions(**MODEL).model_server_config() == single_model("default", "/models/m")
    file = tmp_path / "models.config"
    options = ServerOptions(model_config_file=str(file))
    with pytest.raises(SettingsError, match="cannot read the ModelServerConfig file"):
        options.model_server_config()
    file.write_text(str(single_model("n", "/models/n")))
    assert options.model_server_config() == single_model("n", "/models/n")


def test_batching_parameters_come_from_a_file_or_have_defaults(tmp_path: Path) -> None:
    file = tmp_path / "batching.config"
    options = ServerOptions(**MODEL, enable_batching=True, batching_parameters_file=str(file))
    with pytest.raises(SettingsError, match=f"cannot read the BatchingParameters file {file}: No such file"):
        options.batching_parameters()
    file.write_text("max_batch_size { value: 7 }")
    assert options.batching_parameters() == BatchingParameters(max_batch_size=7)
    assert ServerOptions(**MODEL).batching_parameters() == BatchingParameters()
    assert ServerOptions(**MODEL, enable_batching=True).batching_parameters() == BatchingParameters()


def test_tls_and_metrics_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text('server_key: "k" server_cert: "c"')
    (tmp_path / "metrics").write_text('prometheus_config { enable: true path: "/m" }')
    plain = ServerOptions(**MODEL)
    assert (plain.ssl_config(), plain.prometheus_path()) == (None, None)
    options = ServerOptions(
        **MODEL, ssl_config_file=str(tmp_path / "tls"), monitoring_config_file=str(tmp_path / "metrics")
    )
    assert (options.ssl_config().server_key, options.prometheus_path()) == (b"k", "/m")


@pytest.mark.parametrize(
    ("text", "arguments", "limit"),
    [
        ("", {}, 2**31 - 1),
        ("grpc.max_receive_message_length=4096", {"grpc.max_receive_message_length": 4096}, 4096),
        ("grpc.max_receive_message_length=-1", {"grpc.max_receive_message_length": -1}, 2**31 - 1),
        (
            "grpc.max_connection_age_ms=2000, grpc.primary_user_agent=a=b,",
            {"grpc.max_connection_age_ms": 2000, "grpc.primary_user_agent": "a=b"},
            2**31 - 1,
        ),
    ],
)
def test_channel_arguments_are_parsed(text: str, arguments: dict[str, int | str], limit: int) -> None:
    options = ServerOptions(**MODEL, grpc_channel_arguments=text)
    assert (options.channel_arguments, options.max_request_bytes) == (arguments, limit)


@pytest.mark.parametrize(("micros", "seconds"), [(60_000_000, 60.0), (1, 1e-6), (0, 0.0), (-5, 0.0)])
def test_the_time_between_retries_is_in_seconds(micros: int, seconds: float) -> None:
    assert ServerOptions(**MODEL, load_retry_interval_micros=micros).load_retry_seconds == seconds


def test_importing_the_options_imports_nothing_heavy() -> None:
    code = (
        "import sys, serving.server.config.options as _; sys.exit({'tensorflow', 'grpc', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (1, "set()\n")

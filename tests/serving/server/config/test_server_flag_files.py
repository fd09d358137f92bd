from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.errors import SettingsError
from serving.server.config.flag_files import (
    BatchingParameters,
    SslConfig,
    read_batching_parameters,
    read_prometheus_path,
    read_ssl_config,
)

KEY = 'server_key: "-----BEGIN PRIVATE KEY-----\\nabc\\n"\nserver_cert: "-----BEGIN CERTIFICATE-----\\nüdef\\n"\n'


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / "flag.config"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_an_ssl_config_may_authenticate_the_server_only(tmp_path: Path) -> None:
    expected = SslConfig(
        b"-----BEGIN PRIVATE KEY-----\nabc\n", "-----BEGIN CERTIFICATE-----\nüdef\n".encode(), b"", False
    )
    assert expected == read_ssl_config(written(tmp_path, KEY))


def test_an_ssl_config_may_authenticate_clients_too(tmp_path: Path) -> None:
    config = read_ssl_config(written(tmp_path, KEY + 'custom_ca: "ca" client_verify: true'))
    assert (config.custom_ca, config.client_verify) == (b"ca", True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lacks server_key or server_cert; give both"),
        ('server_key: "k"', "lacks server_key or server_cert"),
        (KEY + "client_verify: true", "has client_verify and no custom_ca; give"),
        ("server_key: secret", "Error parsing text-format tensorflow.serving.SSLConfig"),
        ("key_file: 'x'", "Error parsing text-format tensorflow.serving.SSLConfig"),
        (b"\xff", "Error parsing text-format tensorflow.serving.SSLConfig"),
    ],
)
def test_an_invalid_ssl_config_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_ssl_config(written(tmp_path, content))


@pytest.mark.parametrize("content", ["server_key: topsecret", "server_cert: ''\nserver_key: 'topsecret", "'topsecret'"])
def test_an_error_message_never_contains_the_key(tmp_path: Path, content: str) -> None:
    with pytest.raises(
        SettingsError, match=r"flag.config: Error parsing text-format .*: line \d, column \d+; give"
    ) as raised:
        read_ssl_config(written(tmp_path, content))
    assert "topsecret" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("", None),
        ("prometheus_config { }", None),
        ('prometheus_config { enable: false path: "/metrics" }', None),
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true, path: "/metrics" }', "/metrics"),
    ],
)
def test_a_monitoring_config_gives_the_path_of_the_metrics(tmp_path: Path, content: str, path: str | None) -> None:
    assert read_prometheus_path(written(tmp_path, content)) == path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'prometheus_config { enable: true path: "metrics" }',
            "prometheus_config.path 'metrics'; give a path that starts with a slash",
        ),
        ("prometheus { }", "Error parsing text-format tensorflow.serving.MonitoringConfig"),
    ],
)
def test_an_invalid_monitoring_config_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_prometheus_path(written(tmp_path, content))


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"cannot read the SSLConfig file {tmp_path}/none: No such file"):
        read_ssl_config(tmp_path / "none")
    with pytest.raises(SettingsError, match=f"cannot read the MonitoringConfig file {tmp_path}: Is a directory"):
        read_prometheus_path(tmp_path)
    with pytest.raises(SettingsError, match=f"cannot read the BatchingParameters file {tmp_path}: Is a directory"):
        read_batching_parameters(tmp_path)


def test_all_batching_parameters_are_read(tmp_path: Path) -> None:
    text = """
        # The example of TensorFlow Serving's documentation.
        max_batch_size { value: 128 }
        batch_timeout_micros { value: 0 }
        max_enqueued_batches { value: 1000000 }
        num_batch_threads { value: 8 }
        thread_pool_name { value: "mine" }
        allowed_batch_sizes: 32
        allowed_batch_sizes: [64, 128]
        pad_variable_length_inputs: false
    """
    assert read_batching_parameters(written(tmp_path, text)) == BatchingParameters(
        max_batch_size=128,
        batch_timeout_micros=0,
        max_enqueued_batches=1_000_000,
        num_batch_threads=8,
        thread_pool_name="mine",
        allowed_batch_sizes=(32, 64, 128),
    )


@pytest.mark.parametrize("text", ["", "# nothing"])
def test_missing_batching_parameters_have_their_defaults(tmp_path: Path, text: str) -> None:
    assert read_batching_parameters(written(tmp_path, text)) == BatchingParameters()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 128", r'Error parsing text-format tensorflow\.serving\.BatchingParameters: .*Expected "{"'),
        ("max_batch { value: 1 }", r'no field named "max_batch"'),
        ("max_batch_size { value: 1.5 }", "give fields like `max_batch_size { value: 128 }`"),
        ("max_batch_size { value: 0 }", "max_batch_size of the batching parameters is 0; give 1 or more"),
        ("num_batch_threads { value: 0 }", "num_batch_threads .* is 0; give 1 or more"),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches .* is 0; give 1 or more"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros .* is -1; give 0 or more"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [2, 3]", r"are \[2, 3\]; .*end with max_batch_size, 4"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [3, 2, 4]", "give increasing sizes"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [2, 2, 4]", "give increasing sizes"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [0, 4]", "give increasing sizes"),
        ("pad_variable_length_inputs: true", "sets pad_variable_length_inputs, which is not supported"),
    ],
)
def test_invalid_batching_parameters_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_batching_parameters(written(tmp_path, text))


@given(sizes=st.sets(st.integers(1, 200), min_size=1), rows=st.integers(1, 200))
def test_a_batch_is_padded_to_the_next_allowed_size(sizes: set[int], rows: int) -> None:
    parameters = BatchingParameters(max_batch_size=max(sizes), allowed_batch_sizes=tuple(sorted(sizes)))
    assert parameters.padded(rows) == min((size for size in sizes if size >= rows), default=rows)
    assert BatchingParameters().padded(rows) == rows

from __future__ import annotations

from pathlib import Path

import pytest

from imdb_core.errors import SettingsError
from serving.server.config.side_files import SslConfig, read_prometheus_path, read_ssl_config

KEY = 'server_key: "-----BEGIN PRIVATE KEY-----\\nabc\\n"\nserver_cert: "-----BEGIN CERTIFICATE-----\\nüdef\\n"\n'


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / "side.config"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_tls_of_the_server_alone(tmp_path: Path) -> None:
    expected = SslConfig(
        b"-----BEGIN PRIVATE KEY-----\nabc\n", "-----BEGIN CERTIFICATE-----\nüdef\n".encode(), b"", False
    )
    assert expected == read_ssl_config(written(tmp_path, KEY))


def test_tls_of_both_sides(tmp_path: Path) -> None:
    config = read_ssl_config(written(tmp_path, KEY + 'custom_ca: "ca" client_verify: true'))
    assert (config.custom_ca, config.client_verify) == (b"ca", True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lacks server_key or server_cert; give both"),
        ('server_key: "k"', "lacks server_key or server_cert"),
        (KEY + "client_verify: true", "has client_verify and no custom_ca; give"),
        ("server_key: secret", "is no text of a tensorflow.serving.SSLConfig"),
        ("key_file: 'x'", "is no text of a tensorflow.serving.SSLConfig"),
        (b"\xff", "is no text"),
    ],
)
def test_tls_that_cannot_be(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_ssl_config(written(tmp_path, content))


@pytest.mark.parametrize("content", ["server_key: topsecret", "server_cert: ''\nserver_key: 'topsecret", "'topsecret'"])
def test_a_key_does_not_get_into_a_message(tmp_path: Path, content: str) -> None:
    with pytest.raises(SettingsError, match=r"side.config is no text .*: line \d, column \d+ is wrong") as raised:
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
def test_where_metrics_are(tmp_path: Path, content: str, path: str | None) -> None:
    assert read_prometheus_path(written(tmp_path, content)) == path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'prometheus_config { enable: true path: "metrics" }',
            "prometheus_config.path 'metrics'; start it with a slash",
        ),
        ("prometheus { }", "is no text of a tensorflow.serving.MonitoringConfig"),
    ],
)
def test_metrics_that_cannot_be(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_prometheus_path(written(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"cannot read the SSLConfig file {tmp_path}/none: No such file"):
        read_ssl_config(tmp_path / "none")
    with pytest.raises(SettingsError, match=f"cannot read the MonitoringConfig file {tmp_path}: Is a directory"):
        read_prometheus_path(tmp_path)

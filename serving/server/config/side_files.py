"""The files that flags name: SSLConfig and MonitoringConfig, whose protos tensorflow-serving-api leaves out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import text_format

from imdb_core.errors import SettingsError
from imdb_core.protos import declare

PROMETHEUS_PATH: Final = "/monitoring/prometheus/metrics"

_PACKAGE: Final = "tensorflow.serving"
_MESSAGES: Final = declare(
    "imdb_attention/side_files.proto",
    _PACKAGE,
    {
        "SSLConfig": {
            "server_key": "string",
            "server_cert": "string",
            "custom_ca": "string",
            "client_verify": "bool",
        },
        "PrometheusConfig": {"enable": "bool", "path": "string"},
        "MonitoringConfig": {"prometheus_config": f"{_PACKAGE}.PrometheusConfig"},
    },
)


@dataclass(frozen=True)
class SslConfig:
    """What gRPC needs for TLS; all PEM.

    Attributes:
        server_key: private key.
        server_cert: certificate, with those that it is signed by.
        custom_ca: certificates that clients' certificates must be signed by; empty for none.
        client_verify: whether clients must have a certificate.
    """

    server_key: bytes
    server_cert: bytes
    custom_ca: bytes
    client_verify: bool


def read_ssl_config(file: Path) -> SslConfig:
    """Reads what `--ssl_config_file` names.

    Args:
        file: an SSLConfig as text; keys and certificates stand in it, not their paths.

    Raises:
        SettingsError: the file cannot be read, is no such message, or lacks what TLS needs.
    """
    message = _read(file, "SSLConfig")
    if not message.server_key or not message.server_cert:
        raise SettingsError(f"{file} lacks server_key or server_cert; give both, as PEM")
    if message.client_verify and not message.custom_ca:
        raise SettingsError(
            f"{file} has client_verify and no custom_ca; give the certificates that clients' must be signed by"
        )
    return SslConfig(
        message.server_key.encode(), message.server_cert.encode(), message.custom_ca.encode(), message.client_verify
    )


def read_prometheus_path(file: Path) -> str | None:
    """Reads what `--monitoring_config_file` names.

    Args:
        file: a MonitoringConfig as text.

    Returns:
        The URL's path at which metrics are; None if there are to be none.

    Raises:
        SettingsError: the file cannot be read, is no such message, or the path does not start with a slash.
    """
    config = _read(file, "MonitoringConfig").prometheus_config
    if not config.enable:
        return None
    path = config.path or PROMETHEUS_PATH
    if not path.startswith("/"):
        raise SettingsError(f"{file} has prometheus_config.path {path!r}; start it with a slash, as {PROMETHEUS_PATH}")
    return str(path)


def _read(file: Path, name: str) -> Any:
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), _MESSAGES[name]())
    except OSError as error:
        raise SettingsError(f"cannot read the {name} file {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"the {name} file {file} is no text: {error}") from None
    except text_format.ParseError as error:
        # Not its message, which quotes the line: that may be a private key.
        raise SettingsError(
            f"{file} is no text of a {_PACKAGE}.{name}: line {error.GetLine()}, column {error.GetColumn()} is wrong"
        ) from None

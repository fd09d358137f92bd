"""ModelServerConfig: the models to serve, with their base paths, version policies and labels."""

import re
from pathlib import Path
from typing import Final

import grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig, ModelType

from serving.server.config.flag_files import read_text_proto
from serving.server.errors import ServingError, failed_precondition, invalid_argument

MODEL_LIST: Final = "model_config_list"

_PLATFORM: Final = "tensorflow"
_URI: Final = re.compile(r"[a-zA-Z][0-9a-zA-Z.]*://")


def read_model_config(file: Path) -> ModelServerConfig:
    """Reads the file of `--model_config_file`; `check_model_config` checks its content.

    Raises:
        SettingsError: The file is not a readable ModelServerConfig.
    """
    example = 'give `model_config_list { config { name: "..." base_path: "/..." model_platform: "tensorflow" } }`'
    return read_text_proto(file, ModelServerConfig(), example)


def single_model(name: str, base_path: str) -> ModelServerConfig:
    """Builds the config of `--model_name` and `--model_base_path`, which serves one model's newest version."""
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=_PLATFORM)
    return config


def check_model_config(new: ModelServerConfig, current: ModelServerConfig | None = None) -> None:
    """Checks a config before it replaces the current one (None at start-up).

    Raises:
        ServingError: With TensorFlow Serving's messages. FAILED_PRECONDITION if only the current config has a list of
            models; UNIMPLEMENTED for request logging; INVALID_ARGUMENT for any other fault.
    """
    if current is not None and current.WhichOneof("config") and new.WhichOneof("config") != MODEL_LIST:
        raise failed_precondition(
            "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to another."
        )
    if new.WhichOneof("config") == "custom_model_config":
        raise invalid_argument("ModelServer does not yet support custom model config.")
    names: set[str] = set()
    for model in new.model_config_list.config:
        if model.name in names:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
    for model in new.model_config_list.config:
        if not model.base_path.startswith("/") and not _URI.match(model.base_path):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
    before = {model.name: _platform(model) for model in current.model_config_list.config} if current else {}
    for model in new.model_config_list.config:
        _check_platform(model, before.get(model.name))
        if model.HasField("logging_config"):
            raise ServingError(
                grpc.StatusCode.UNIMPLEMENTED, f"Model {model.name} has a logging_config, which is not supported"
            )


def _check_platform(model: ModelConfig, before: str | None) -> None:
    platform = _platform(model)
    if before is not None and platform != before:
        raise invalid_argument(
            f"Illegal to change a model's platform. For model {model.name} platform was {before} and new platform "
            f"requested is {platform}"
        )
    if platform != _PLATFORM:
        raise invalid_argument(f"Model {model.name} requests unsupported platform {platform}")


def _platform(model: ModelConfig) -> str:
    if model.model_type:
        if model.model_platform:
            raise invalid_argument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if model.model_type != ModelType.TENSORFLOW:
            raise invalid_argument(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
        return _PLATFORM
    if not model.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    return str(model.model_platform)

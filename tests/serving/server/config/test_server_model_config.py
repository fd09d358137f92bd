from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from imdb_core.errors import SettingsError
from serving.server.config.model_config import check_model_config, read_model_config, single_model
from serving.server.errors import ServingError


def config(*models: str) -> ModelServerConfig:
    text = "".join(f"config {{ {model} }}\n" for model in models)
    return text_format.Parse(f"model_config_list {{ {text} }}", ModelServerConfig())


GOOD = 'name: "m" base_path: "/models/m" model_platform: "tensorflow"'


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text(f"# two\nmodel_config_list {{ config {{ {GOOD} version_labels {{ key: 'stable' value: 3 }} }} }}")
    (model,) = read_model_config(file).model_config_list.config
    assert (model.name, model.base_path, dict(model.version_labels)) == ("m", "/models/m", {"stable": 3})


def test_an_empty_file_is_an_empty_config(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text("")
    assert read_model_config(file) == ModelServerConfig()


@pytest.mark.parametrize("content", [b"model_config_list {", b"models: 1", b"\xff\xfe"])
def test_an_invalid_config_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "models.config"
    file.write_bytes(content)
    with pytest.raises(
        SettingsError, match=f"{file}: Error parsing text-format tensorflow.serving.ModelServerConfig: .*; give"
    ):
        read_model_config(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{tmp_path}/none: No such file"):
        read_model_config(tmp_path / "none")


def test_the_config_of_a_single_model_is_valid() -> None:
    single = single_model("m", "/models/m")
    assert single == config(GOOD)
    check_model_config(single)


@pytest.mark.parametrize(
    "models",
    [
        [],
        [GOOD, GOOD.replace('"m"', '"n"')],
        [GOOD.replace("/models/m", "gs://bucket/m")],
        ['name: "m" base_path: "/models/m" model_type: TENSORFLOW'],
        [GOOD + " model_version_policy { all {} } version_labels { key: 'a' value: -1 }"],
    ],
)
def test_valid_configs_pass(models: list[str]) -> None:
    check_model_config(config(*models))
    check_model_config(config(*models), config(GOOD))
    check_model_config(config(GOOD), config(*models))


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([GOOD, GOOD], "Illegal to list model m multiple times in config list"),
        (
            [GOOD.replace("/models/m", "models/m")],
            "Expected model m to have an absolute path or URI; got base_path()=models/m",
        ),
        (['name: "m"'], "Expected model m to have an absolute path or URI; got base_path()="),
        ([GOOD.replace("tensorflow", "xgboost")], "Model m requests unsupported platform xgboost"),
        (
            [GOOD + " model_type: TENSORFLOW"],
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform.",
        ),
        (
            ['name: "m" base_path: "/models/m"'],
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform.",
        ),
        (['name: "m" base_path: "/m" model_type: OTHER'], "ModelServerConfig::model_type choice 2 not supported."),
    ],
)
def test_invalid_configs_give_tensorflow_servings_messages(models: list[str], message: str) -> None:
    with pytest.raises(ServingError) as raised:
        check_model_config(config(*models))
    assert (grpc.StatusCode.INVALID_ARGUMENT, message) == (raised.value.code, raised.value.message)


def test_a_platform_cannot_change() -> None:
    with pytest.raises(ServingError) as raised:
        check_model_config(config(GOOD.replace("tensorflow", "other")), config(GOOD))
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.message == (
        "Illegal to change a model's platform. For model m platform was tensorflow and new platform requested is other"
    )


def test_unsupported_parts_of_a_config_are_refused() -> None:
    with pytest.raises(ServingError, match="logging_config") as raised:
        check_model_config(config(GOOD + " logging_config {}"))
    assert raised.value.code == grpc.StatusCode.UNIMPLEMENTED
    custom = ModelServerConfig()
    custom.custom_model_config.SetInParent()
    with pytest.raises(ServingError, match="does not yet support custom model config") as raised:
        check_model_config(custom)
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_a_list_of_models_can_only_be_replaced_by_another() -> None:
    custom = ModelServerConfig()
    custom.custom_model_config.SetInParent()
    for new in (ModelServerConfig(), custom):
        with pytest.raises(ServingError, match="It is only legal to transition from one ModelConfigList") as raised:
            check_model_config(new, config(GOOD))
        assert raised.value.code == grpc.StatusCode.FAILED_PRECONDITION
    check_model_config(ModelServerConfig(), ModelServerConfig())

"""`models.config`: the versions that servers load and their labels, as TensorFlow Serving's ModelServerConfig in text.

Until the first promotion the policy is `latest`: each push goes live by itself. From then on the config lists the
versions to load (`specific`), and traffic follows the labels `stable` and `canary`.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from imdb_core.errors import SettingsError
from imdb_core.file_names import DEFAULT_MODEL
from imdb_core.files import write_atomically
from serving.releases.versions import read_versions

CONFIG_FILE: Final = "models.config"

_log: Final = logging.getLogger(__name__)

_HEADER: Final = "# Written by `imdb-attention models`; releases.jsonl beside it tells who changed what and why.\n"


def ensure(models: Path, model: str = DEFAULT_MODEL) -> Path:
    """Makes the config and the folder of all models if they are missing, and returns the config's path.

    Servers then load the newest version of each model on disk, and of `model` as soon as its first version is pushed.

    The config holds absolute paths, as TensorFlow Serving demands. In a workspace that was copied or moved they name
    the folders of its former place, and are replaced by those of `models`.
    """
    models = models.absolute()
    file = models / CONFIG_FILE
    if file.exists():
        _follow_a_move(models)
    else:
        models.mkdir(parents=True, exist_ok=True)
        on_disk = {child.name for child in models.iterdir() if child.is_dir() and read_versions(child)}
        config = ModelServerConfig()
        for name in sorted({model, *on_disk}):
            _add(config, models, name)
        write(models, config)
    return file


def read(models: Path) -> ModelServerConfig:
    """Reads the config from the folder of all models; it is empty if the file is missing.

    Paths of a former place of the folder are replaced by those of now.

    Raises:
        SettingsError: The file is not a ModelServerConfig with a list of models.
    """
    config = _read_file(models / CONFIG_FILE)
    for one in config.model_config_list.config:
        if _has_moved(one, models.absolute()):
            one.base_path = str(models.absolute() / one.name)
    return config


def _read_file(file: Path) -> ModelServerConfig:
    try:
        config = text_format.Parse(file.read_text(encoding="utf-8"), ModelServerConfig())
    except FileNotFoundError:
        return ModelServerConfig()
    except (OSError, ValueError, text_format.ParseError) as error:
        raise SettingsError(f"{file} cannot be read as a ModelServerConfig: {error}; correct it or delete it") from None
    if config.WhichOneof("config") == "custom_model_config":
        raise SettingsError(f"{file} holds a custom_model_config; give a model_config_list")
    return config


def _has_moved(one: ModelConfig, models: Path) -> bool:
    """Returns whether the path of an entry is that of the same model at a former place of `models`."""
    before, now = Path(one.base_path), models / one.name
    if before.parts[-2:] != now.parts[-2:] or before.resolve() == now.resolve():
        return False
    return now.is_dir() or not before.exists()


def _follow_a_move(models: Path) -> None:
    try:
        before, now = _read_file(models / CONFIG_FILE), read(models)
    except SettingsError:
        return  # whoever needs the content reports it
    if before != now:
        write(models, now)
        old, new = (config.model_config_list.config[0].base_path for config in (before, now))
        _log.warning("%s followed its folder: %s is %s now", CONFIG_FILE, old, new)


def write(models: Path, config: ModelServerConfig) -> None:
    """Replaces the config in the folder of all models."""
    # A server may run as another user than the pipeline.
    write_atomically(models / CONFIG_FILE, _HEADER + text_format.MessageToString(config), mode=0o644)


def entry(config: ModelServerConfig, models: Path, model: str) -> ModelConfig:
    """Returns a model's entry in a config, and adds it if it is missing. A change of the entry changes the config.

    Raises:
        SettingsError: The entry names another folder for the model's versions.
    """
    base_path = models.absolute() / model
    found = next((one for one in config.model_config_list.config if one.name == model), None)
    if found is not None and Path(found.base_path).resolve() != base_path.resolve():
        raise SettingsError(
            f"{models / CONFIG_FILE} has base_path {found.base_path!r} for model {model!r}, but its versions are "
            f"pushed to {str(base_path)!r}; correct the file or delete it"
        )
    return found if found is not None else _add(config, models.absolute(), model)


def is_managed(model: ModelConfig) -> bool:
    """Returns whether the entry of a model lists its versions, so that no push goes live by itself."""
    return bool(model.model_version_policy.WhichOneof("policy_choice") == "specific")


def loaded(model: ModelConfig, on_disk: Iterable[int]) -> set[int]:
    """Returns which of the versions on disk a server tries to load, according to a model's entry in the config."""
    versions = sorted(on_disk)
    policy = model.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "specific":
            return set(versions) & set(policy.specific.versions)
        case "all":
            return set(versions)
        case _:
            return set(versions[-max(policy.latest.num_versions, 1) :])


def choose(model: ModelConfig, versions: Iterable[int], labels: Mapping[str, int]) -> None:
    """Replaces the versions to load and the labels in a model's entry, in place."""
    model.model_version_policy.Clear()
    model.model_version_policy.specific.versions.extend(sorted(versions))
    model.version_labels.clear()
    for label, version in sorted(labels.items()):
        model.version_labels[label] = version


def _add(config: ModelServerConfig, models: Path, model: str) -> ModelConfig:
    added = config.model_config_list.config.add(name=model, base_path=str(models / model), model_platform="tensorflow")
    added.model_version_policy.latest.num_versions = 1
    return added

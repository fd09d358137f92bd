"""Finds the versions of a model on disk and chooses those to serve."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

VersionPolicy: TypeAlias = FileSystemStoragePathSourceConfig.ServableVersionPolicy

_INT64: Final = range(-(2**63), 2**63)
_NUMBER: Final = re.compile(r"\s*-?[0-9]+\s*", re.ASCII)


def versions_to_serve(model: ModelConfig, warn: Callable[[str], None]) -> dict[int, str]:
    """Finds the versions that a model's policy selects, and their folders.

    Args:
        model: Config of the model.
        warn: Receives warnings about two folders for one version, a missing version, and a base path without versions.

    Raises:
        OSError: The base path is missing or cannot be read.
    """
    folders = versions_on_disk(model.base_path, warn)
    chosen = aspired(folders, model.model_version_policy)
    missing = sorted(set(model.model_version_policy.specific.versions) - chosen)
    if missing:
        warn(
            f"Versions {missing} of servable {model.name}, which were requested to be served as specific versions in "
            "the servable's version policy, were not found in the file system"
        )
    if not folders:
        warn(
            f"No versions of servable {model.name} found under base path {model.base_path}. Did you forget to name "
            "your leaf directory as a number (eg. '/1/')?"
        )
    return {version: folders[version] for version in chosen}


def versions_on_disk(base_path: str, warn: Callable[[str], None]) -> dict[int, str]:
    """Finds the paths of a folder's children whose names are int64 numbers, such as `00000123`, the lowest first.

    Args:
        base_path: The folder; a URI for other file systems that TensorFlow supports.
        warn: Receives a warning about two children with the same number.

    Raises:
        OSError: The folder is missing or cannot be read.
    """
    names: dict[int, str] = {}
    for child in sorted(_children(base_path)):
        if not _NUMBER.fullmatch(child) or int(child) not in _INT64:
            continue
        version = int(child)
        if version in names:
            warn(
                f"Duplicate version directories detected. Version {version} will be loaded from {child}, "
                f"{names[version]} will be ignored."
            )
        names[version] = child
    return {version: f"{base_path.rstrip('/')}/{name}" for version, name in sorted(names.items())}


def aspired(versions: Iterable[int], policy: VersionPolicy) -> set[int]:
    """Selects those of the versions on disk to serve, by default the highest."""
    match policy.WhichOneof("policy_choice"):
        case "all":
            return set(versions)
        case "specific":
            return set(versions) & set(policy.specific.versions)
        case _:
            return set(sorted(versions)[-max(policy.latest.num_versions, 1) :])


def _children(base_path: str) -> set[str]:
    if "://" not in base_path:
        return set(os.listdir(base_path))  # TensorFlow's listdir fails on a name that is not UTF-8
    import tensorflow as tf

    try:
        # Object stores end the names of folders with a slash, and may list nested paths.
        return {child.partition("/")[0] for child in tf.io.gfile.listdir(base_path)}
    except tf.errors.OpError as error:
        raise OSError(error.message) from None

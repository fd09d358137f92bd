"""A folder of models whose versions are complete except that no server can load them."""

from __future__ import annotations

from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from serving.releases import model_config
from serving.releases.versions import RELEASE_FILE, Release, digest

MODEL = "critic"


def add_version(models: Path, number: int, model: str = MODEL, **notes: object) -> Path:
    """Makes a version with a valid `release.json`."""
    path = models / model / str(number)
    (path / "assets.extra").mkdir(parents=True)
    (path / "variables").mkdir()
    (path / "saved_model.pb").write_bytes(b"graph %d" % number)
    (path / "variables" / "variables.index").write_bytes(b"x" * 1000)
    release = Release(source="/artifacts/model", sha256=digest(path), pushed_at=1_700_000_000 + number, **notes)
    (path / RELEASE_FILE).write_text(release.model_dump_json())
    return path


def model_entry(models: Path, model: str = MODEL) -> ModelConfig:
    """Reads a model's entry in models.config."""
    (found,) = [entry for entry in model_config.read(models).model_config_list.config if entry.name == model]
    return found


def served(models: Path, model: str = MODEL) -> tuple[list[int], dict[str, int]]:
    """Returns the versions and labels in models.config."""
    entry = model_entry(models, model)
    return list(entry.model_version_policy.specific.versions), dict(entry.version_labels)

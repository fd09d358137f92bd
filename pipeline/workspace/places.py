"""The workspace: one folder under which everything that a run writes goes."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from imdb_core.errors import SettingsError
from imdb_core.workspace import WORKSPACE_VARIABLE
from pipeline.settings.config import PipelineConfig
from serving.releases import model_config

REVIEW_SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "review.pbtxt"


@dataclass(frozen=True)
class Places:
    """Where a run finds and leaves things.

    Attributes:
        artifacts: the pipeline root.
        checkpoints: of interrupted training.
        cache: downloads.
        versions: the pushed versions of the model.
        schema: the schema file; another content must have another path, for TFX looks at the path alone.
    """

    artifacts: Path
    checkpoints: Path
    cache: Path
    versions: Path
    schema: Path


def prepare_places(config: PipelineConfig, workspace: Path, schema: Path = REVIEW_SCHEMA) -> Places:
    """Lays the workspace out.

    The schema is copied to a path that depends on its content, because TFX's cache looks at the path alone.
    `models/models.config`, which servers read, and the folder of ML Metadata are made if missing.

    Args:
        config: names the model.
        workspace: absolute; made if missing.
        schema: a Schema proto as text.

    Raises:
        SettingsError: the workspace cannot be written to.
    """
    digest = hashlib.sha256(schema.read_bytes()).hexdigest()[:16]
    copy = workspace / "schemas" / digest / "schema.pbtxt"
    try:
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_suffix(f".{os.getpid()}")
            shutil.copyfile(schema, partial)
            partial.rename(copy)
        (workspace / "metadata").mkdir(parents=True, exist_ok=True)
        model_config.ensure(workspace / "models", config.serving.model_name)
    except OSError as error:
        raise SettingsError(
            f"cannot write to the workspace {workspace}: {error.strerror}; set {WORKSPACE_VARIABLE} to another folder"
        ) from None
    return Places(
        artifacts=workspace / "artifacts",
        checkpoints=workspace / "checkpoints",
        cache=workspace / "cache",
        versions=workspace / "models" / config.serving.model_name,
        schema=copy,
    )

"""The folders of a workspace, and the files that a run needs there before it starts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from imdb_core.errors import SettingsError
from imdb_core.files import write_atomically
from imdb_core.workspace import WORKSPACE_VARIABLE
from pipeline.settings import PipelineConfig
from serving.releases import model_config

REVIEW_SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "review.pbtxt"


@dataclass(frozen=True)
class Places:
    """Paths that a run reads and writes.

    Attributes:
        artifacts: TFX's pipeline root.
        checkpoints: Folder of the checkpoints of interrupted trainings.
        cache: Folder of downloads.
        versions: Folder of the pushed versions of the model.
        schema: Copy of the schema file, at a path that depends on its content.
    """

    artifacts: Path
    checkpoints: Path
    cache: Path
    versions: Path
    schema: Path


def prepare_places(config: PipelineConfig, workspace: Path, schema: Path = REVIEW_SCHEMA) -> Places:
    """Creates what a run needs in the workspace and is not there yet.

    These are a copy of the schema, the folder of ML Metadata, and `models/models.config`, which servers read. The
    schema's path depends on its content, because TFX's cache compares paths, not contents.

    Args:
        config: The settings, which name the model.
        workspace: Absolute path of the workspace; created if missing.
        schema: A text file with a Schema proto.

    Raises:
        SettingsError: The workspace is not writable.
    """
    content = schema.read_bytes()
    copy = workspace / "schemas" / hashlib.sha256(content).hexdigest()[:16] / "schema.pbtxt"
    try:
        if not copy.exists():
            write_atomically(copy, content)
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

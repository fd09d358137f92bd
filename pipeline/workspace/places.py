"""The folders of a workspace, and the files that a run needs there before it starts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from imdb_core.errors import SettingsError
from imdb_core.files import write_atomically
from imdb_core.workspace import WORKSPACE_VARIABLE
from pipeline.settings import PipelineConfig
from pipeline.workspace.store import ARTIFACTS, MODELS
from serving.releases import model_config

REVIEW_SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "review.pbtxt"


@dataclass(frozen=True)
class Places:
    """Paths that a run reads and writes.

    They are relative to the workspace, in which the nodes run, so that ML Metadata holds nothing that a copy or a move
    of the workspace makes wrong. On a database server, which may serve several workspaces, they are absolute.
    """

    artifacts: Path  # TFX's pipeline root
    checkpoints: Path  # of interrupted trainings
    cache: Path  # of downloads
    versions: Path  # the pushed versions of the model
    schema: Path  # a copy, at a path that depends on its content


def prepare_places(config: PipelineConfig, workspace: Path, schema: Path = REVIEW_SCHEMA) -> Places:
    """Creates what a run needs in the workspace, if it is not there yet.

    This is a copy of the schema, the folder of ML Metadata, and `models/models.config`, which servers read. The path of
    the schema depends on its content, because TFX's cache compares paths, not contents.

    Raises:
        SettingsError: The workspace is not writable.
    """
    content = schema.read_bytes()
    copy = workspace / "schemas" / hashlib.sha256(content).hexdigest()[:16] / "schema.pbtxt"
    try:
        if not copy.exists():
            write_atomically(copy, content)
        (workspace / "metadata").mkdir(parents=True, exist_ok=True)
        model_config.ensure(workspace / MODELS, config.serving.model_name)
    except OSError as error:
        raise SettingsError(
            f"cannot write to the workspace {workspace}: {error.strerror}; set {WORKSPACE_VARIABLE} to another folder"
        ) from None
    base = Path() if config.metadata.backend == "sqlite" else workspace
    return Places(
        artifacts=base / ARTIFACTS,
        checkpoints=base / "checkpoints",
        cache=base / "cache",
        versions=base / MODELS / config.serving.model_name,
        schema=base / copy.relative_to(workspace),
    )

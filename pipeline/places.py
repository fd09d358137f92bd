"""The workspace: one folder under which everything that a run writes goes."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from components.errors import SettingsError
from components.settings import MetadataSettings
from pipeline.config import WORKSPACE_VARIABLE, PipelineConfig
from serving.releases import model_config

REVIEW_SCHEMA = Path(__file__).resolve().parent.parent / "schemas" / "review.pbtxt"

_DEFAULT_PORTS = {"mysql": 3306, "postgresql": 5432}


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
    `models/models.config`, which servers read, is made if missing.

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


def metadata_connection(
    settings: MetadataSettings, workspace: Path, environ: Mapping[str, str] = os.environ
) -> metadata_store_pb2.ConnectionConfig:
    """Says how to connect to ML Metadata.

    Args:
        settings: the backend.
        workspace: holds the database of backend `sqlite`.
        environ: holds the password of the others.

    Raises:
        SettingsError: there is no password.
    """
    if settings.backend == "sqlite":
        return metadata.sqlite_metadata_connection_config(str(workspace / "metadata" / "metadata.db"))
    if settings.password_env not in environ:
        raise SettingsError(
            f"metadata.backend = {settings.backend!r} needs a password, and the environment variable "
            f"{settings.password_env} is not set; set it, or name another one in metadata.password_env"
        )
    port = settings.port or _DEFAULT_PORTS[settings.backend]
    password = environ[settings.password_env]
    if settings.backend == "mysql":
        return metadata.mysql_metadata_connection_config(
            settings.host, port, settings.database, settings.user, password
        )
    return metadata_store_pb2.ConnectionConfig(
        postgresql=metadata_store_pb2.PostgreSQLDatabaseConfig(
            host=settings.host, port=str(port), dbname=settings.database, user=settings.user, password=password
        )
    )

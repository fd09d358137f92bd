"""The connection to ML Metadata. TFX is not imported, so that commands that only read answer quickly."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ml_metadata.proto import metadata_store_pb2

from imdb_core.errors import SettingsError
from imdb_core.settings import MetadataSettings

_DEFAULT_PORTS: Final = {"mysql": 3306, "postgresql": 5432}
_SQLITE: Final = metadata_store_pb2.SqliteMetadataSourceConfig


def metadata_connection(
    settings: MetadataSettings, workspace: Path, environ: Mapping[str, str] = os.environ
) -> metadata_store_pb2.ConnectionConfig:
    """Returns how to connect to ML Metadata.

    Args:
        settings: The backend, and the address of its server.
        workspace: The folder that holds the database of the backend `sqlite`.
        environ: Environment variables, one of which holds the password of the other backends.

    Raises:
        SettingsError: The password is not set.
    """
    if settings.backend == "sqlite":
        database = _SQLITE(
            filename_uri=str(workspace / "metadata" / "metadata.db"), connection_mode=_SQLITE.READWRITE_OPENCREATE
        )
        return metadata_store_pb2.ConnectionConfig(sqlite=database)
    if settings.password_env not in environ:
        raise SettingsError(
            f"metadata.backend = {settings.backend!r} needs a password, and the environment variable "
            f"{settings.password_env} is not set; set it, or name another one in metadata.password_env"
        )
    port = settings.port or _DEFAULT_PORTS[settings.backend]
    account = {"host": settings.host, "user": settings.user, "password": environ[settings.password_env]}
    if settings.backend == "mysql":
        mysql = metadata_store_pb2.MySQLDatabaseConfig(**account, port=port, database=settings.database)
        return metadata_store_pb2.ConnectionConfig(mysql=mysql)
    postgresql = metadata_store_pb2.PostgreSQLDatabaseConfig(**account, port=str(port), dbname=settings.database)
    return metadata_store_pb2.ConnectionConfig(postgresql=postgresql)

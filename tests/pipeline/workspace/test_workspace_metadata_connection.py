import pytest
from ml_metadata.metadata_store import metadata_store

from imdb_core.errors import SettingsError
from imdb_core.settings import MetadataSettings
from pipeline.workspace.metadata_connection import metadata_connection

VARIABLE = "DB_PASSWORD"


def test_sqlite_works_without_a_server(tmp_path):
    connection = metadata_connection(MetadataSettings(), tmp_path, {})
    assert connection.WhichOneof("config") == "sqlite"
    assert connection.sqlite.filename_uri == str(tmp_path / "metadata" / "metadata.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "metadata").mkdir()
    assert metadata_store.MetadataStore(connection).get_executions() == []
    assert (tmp_path / "metadata" / "metadata.db").exists()


@pytest.mark.parametrize(("port", "expected"), [(0, 3306), (3307, 3307)])
def test_mysql_connects_to_the_given_server(tmp_path, port, expected):
    settings = MetadataSettings(backend="mysql", host="db", port=port, database="runs", user="me")
    mysql = metadata_connection(settings, tmp_path, {"MLMD_PASSWORD": "secret"}).mysql
    assert (mysql.host, mysql.port, mysql.database, mysql.user, mysql.password) == (
        "db",
        expected,
        "runs",
        "me",
        "secret",
    )


@pytest.mark.parametrize(("port", "expected"), [(0, "5432"), (5433, "5433")])
def test_postgresql_connects_to_the_given_server(tmp_path, port, expected):
    settings = MetadataSettings(
        backend="postgresql", host="db", port=port, database="runs", user="me", password_env=VARIABLE
    )
    server = metadata_connection(settings, tmp_path, {VARIABLE: "secret"}).postgresql
    assert (server.host, server.port, server.dbname, server.user, server.password) == (
        "db",
        expected,
        "runs",
        "me",
        "secret",
    )


@pytest.mark.parametrize("backend", ["mysql", "postgresql"])
def test_a_server_without_a_password_is_refused(tmp_path, backend):
    settings = MetadataSettings(backend=backend, password_env=VARIABLE)
    with pytest.raises(SettingsError, match=rf"metadata\.backend = '{backend}' .* DB_PASSWORD is not set"):
        metadata_connection(settings, tmp_path, {"MLMD_PASSWORD": "of another name"})

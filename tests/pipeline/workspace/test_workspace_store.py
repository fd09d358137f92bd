from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.settings import load_settings
from pipeline.workspace.metadata_connection import metadata_connection
from pipeline.workspace.store import WorkspaceStore


@pytest.fixture
def store(tmp_path) -> WorkspaceStore:
    (tmp_path / "metadata").mkdir()
    return WorkspaceStore(metadata_connection(load_settings().config.metadata, tmp_path))


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("artifacts/Trainer.scalar/model/7", "artifacts/Trainer.scalar/model/7"),
        # Paths of a former place, or of an earlier version of the project.
        ("/old/work space/artifacts/Trainer.scalar/model/7", "artifacts/Trainer.scalar/model/7"),
        ("/old/artifacts/x/y/3/artifacts/Pusher/pushed_model/16", "artifacts/Pusher/pushed_model/16"),
        ("/old/models/imdb_attention/1795402029", "models/imdb_attention/1795402029"),
        # Anything else is somebody else's.
        ("/srv/models/7", None),
        ("/srv/artifacts/x", None),
        ("/srv/artifacts/a/b/c/7", None),
        ("gs://bucket/artifacts/Trainer.scalar/model/7", None),
    ],
)
def test_paths_of_the_workspace_are_relative_and_found_where_it_is_now(store, tmp_path, uri, place):
    assert store.root == tmp_path
    assert store.relative(uri) == (place or uri)
    assert store.absolute(uri) == (str(tmp_path / place) if place else uri)
    assert store.absolute(store.absolute(uri)) == store.absolute(uri)


def test_properties_with_paths_are_located(store, tmp_path):
    properties = {"pushed_destination": "models/m/3", "current_model": "", "name": "artifacts/x/y/1", "blessed": 1}
    assert store.located(properties) == {**properties, "pushed_destination": str(tmp_path / "models/m/3")}


def test_paths_on_a_database_server_stay_as_they_are():
    connection = mlmd.ConnectionConfig()
    connection.fake_database.SetInParent()
    store = WorkspaceStore(connection)
    assert store.root is None
    for uri in ("/old/artifacts/Trainer.scalar/model/7", "artifacts/Trainer.scalar/model/7"):
        assert store.relative(uri) == uri
        assert store.absolute(uri) == uri


def test_the_root_is_the_folder_above_the_metadata(tmp_path):
    workspace = tmp_path / "a ? # % [b] ü"
    (workspace / "metadata").mkdir(parents=True)
    store = WorkspaceStore(metadata_connection(load_settings().config.metadata, workspace))
    assert store.root == workspace
    assert Path(workspace / "metadata" / "metadata.db").exists()

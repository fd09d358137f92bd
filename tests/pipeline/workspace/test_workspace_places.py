import os
import stat
from pathlib import Path

import pytest

from imdb_core.errors import SettingsError
from pipeline.settings import PipelineConfig, load_settings
from pipeline.workspace.places import REVIEW_SCHEMA, prepare_places


@pytest.fixture
def schema(tmp_path):
    file = tmp_path / "mine.pbtxt"
    file.write_text('feature { name: "text" }\n')
    return file


def copied(workspace: Path, schema: Path) -> Path:
    return workspace / prepare_places(PipelineConfig(), workspace, schema).schema


def test_everything_is_in_the_workspace(tmp_path):
    workspace = tmp_path / "deep" / "workspace"
    config = load_settings(None, ["serving.model_name=critic"]).config
    places = prepare_places(config, workspace)
    assert places.versions == Path("models", "critic")
    for place in (places.artifacts, places.checkpoints, places.cache, places.versions, places.schema):
        assert not place.is_absolute()
    assert len({places.artifacts, places.checkpoints, places.cache, places.versions}) == 4
    assert (workspace / places.schema).read_bytes() == REVIEW_SCHEMA.read_bytes()


def test_paths_are_absolute_for_a_store_that_several_workspaces_may_share(tmp_path):
    places = prepare_places(load_settings(None, ["metadata.backend=mysql"]).config, tmp_path)
    for place in (places.artifacts, places.checkpoints, places.cache, places.versions, places.schema):
        assert tmp_path in place.parents
    assert places.schema.exists()


def test_a_missing_models_config_is_created_and_an_existing_one_is_kept(tmp_path):
    prepare_places(load_settings(None, ["serving.model_name=critic"]).config, tmp_path)
    file = tmp_path / "models" / "models.config"
    assert f'base_path: "{tmp_path / "models" / "critic"}"' in file.read_text()
    file.write_text("# mine\n")
    prepare_places(PipelineConfig(), tmp_path)
    assert file.read_text() == "# mine\n"


def test_the_path_of_the_schema_depends_only_on_its_content(tmp_path, schema):
    first = copied(tmp_path, schema)
    os.utime(schema, (1, 1))
    assert copied(tmp_path, schema) == first
    renamed = schema.rename(tmp_path / "renamed.pbtxt")
    assert copied(tmp_path, renamed) == first
    renamed.write_text('feature { name: "label" }\n')
    second = copied(tmp_path, renamed)
    assert second != first
    assert second.read_text() == 'feature { name: "label" }\n'
    assert first.read_text() == 'feature { name: "text" }\n'
    assert [path.name for path in second.parent.iterdir()] == ["schema.pbtxt"]


def test_an_existing_schema_is_not_written_again(tmp_path, schema):
    copy = copied(tmp_path, schema)
    before = copy.stat()
    prepare_places(PipelineConfig(), tmp_path, schema)
    assert (copy.stat().st_ino, copy.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_workspace_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "workspace").write_text("")
    with pytest.raises(SettingsError, match=r"cannot write to the workspace .*workspace: .*; set IMDB_WORKSPACE to"):
        prepare_places(PipelineConfig(), tmp_path / "workspace")


@pytest.fixture
def nobody():
    """Runs the test as a user without write access, because root may write everywhere."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def read_only(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    return tmp_path


def test_a_workspace_that_is_read_only_is_refused(read_only, nobody):
    del nobody
    with pytest.raises(SettingsError, match="Permission denied"):
        prepare_places(PipelineConfig(), read_only)

import os

import pytest
from apache_beam.io.filesystems import FileSystems

from pipeline.workspace.working_folder import working_in


def test_the_workspace_is_the_current_folder_until_the_end(tmp_path):
    before = os.getcwd()
    with working_in(tmp_path):
        assert os.getcwd() == str(tmp_path)
    assert os.getcwd() == before
    with pytest.raises(ValueError, match="inside"), working_in(tmp_path):
        raise ValueError("inside")
    assert os.getcwd() == before


def test_beam_keeps_relative_paths_there(tmp_path):
    workspace = tmp_path / "a [b]* ü"
    workspace.mkdir()
    with working_in(workspace):
        assert FileSystems.split("artifacts/x/y") == ("artifacts/x", "y")
        FileSystems.mkdirs("artifacts/x")
        with FileSystems.create("artifacts/x/file") as file:
            file.write(b"content")
        (found,) = FileSystems.match(["artifacts/x/*"])
        assert [match.path for match in found.metadata_list] == ["artifacts/x/file"]
    assert os.path.isabs(FileSystems.split("artifacts/x/y")[0])


def test_a_current_folder_that_was_deleted_is_no_obstacle(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with working_in(tmp_path):
        assert os.getcwd() == str(tmp_path)

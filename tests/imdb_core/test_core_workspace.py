from imdb_core.workspace import WORKSPACE_VARIABLE, workspace_path


def test_the_workspace_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert workspace_path({}) == tmp_path / "workspace"
    assert workspace_path({WORKSPACE_VARIABLE: ""}) == tmp_path / "workspace"
    assert workspace_path({WORKSPACE_VARIABLE: "here"}) == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert workspace_path({WORKSPACE_VARIABLE: "~/there"}) == tmp_path / "home" / "there"

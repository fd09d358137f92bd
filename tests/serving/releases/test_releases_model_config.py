from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format
from released import MODEL, add_version, model_entry, served
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from imdb_core.errors import SettingsError
from serving.releases import model_config

OTHER = """
model_config_list {
  config {
    name: "other" base_path: "/srv/other" model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "experiment" value: 9 }
  }
}
"""


def test_without_a_config_the_newest_version_of_each_model_is_served(models: Path) -> None:
    add_version(models, 5, model="second")
    (models / "notes").mkdir()
    file = model_config.ensure(models, MODEL)
    assert models / "models.config" == file
    config = text_format.Parse(file.read_text(), ModelServerConfig())
    assert [entry.name for entry in config.model_config_list.config] == [MODEL, "second"]
    entry = model_entry(models)
    assert (str(models / MODEL), "tensorflow") == (entry.base_path, entry.model_platform)
    assert entry.model_version_policy.latest.num_versions == 1
    assert dict(entry.version_labels) == {}
    assert not model_config.is_managed(entry)
    assert {3} == model_config.loaded(entry, [1, 2, 3])


def test_a_model_is_listed_before_its_first_push(tmp_path: Path) -> None:
    model_config.ensure(tmp_path / "workspace" / "models")
    assert (
        str(tmp_path / "workspace" / "models" / "imdb_attention")
        == model_entry(tmp_path / "workspace" / "models", "imdb_attention").base_path
    )


def test_paths_in_the_config_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = model_config.ensure(Path("models"), MODEL)
    assert file.is_absolute()
    assert str(tmp_path / "models" / MODEL) == model_entry(Path("models")).base_path


def test_a_link_to_the_folder_is_the_same_folder(models: Path) -> None:
    (models.parent / "link").symlink_to(models)
    model_config.ensure(models.parent / "link", MODEL)
    config = model_config.read(models)
    assert model_config.entry(config, models, MODEL).base_path == str(models.parent / "link" / MODEL)


def test_an_existing_config_is_left_unchanged(models: Path) -> None:
    (models / "models.config").write_text(OTHER)
    model_config.ensure(models, MODEL)
    assert (models / "models.config").read_text() == OTHER


def test_a_change_of_one_model_leaves_the_others(models: Path) -> None:
    (models / "models.config").write_text(OTHER)
    config = model_config.read(models)
    model_config.choose(model_config.entry(config, models, MODEL), {3, 1}, {"stable": 3, "canary": 1})
    model_config.write(models, config)
    assert served(models) == ([1, 3], {"stable": 3, "canary": 1})
    assert text_format.Parse(OTHER, ModelServerConfig()).model_config_list.config[0] == model_entry(models, "other")


def test_choose_replaces_the_previous_choice(models: Path) -> None:
    config = model_config.read(models)
    entry = model_config.entry(config, models, MODEL)
    model_config.choose(entry, {1, 2}, {"stable": 1, "canary": 2})
    model_config.choose(entry, {3}, {"stable": 3})
    assert (list(entry.model_version_policy.specific.versions), dict(entry.version_labels)) == ([3], {"stable": 3})
    assert model_config.is_managed(entry)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", {30}),
        ("latest {}", {30}),
        ("latest { num_versions: 2 }", {20, 30}),
        ("latest { num_versions: 9 }", {10, 20, 30}),
        ("all {}", {10, 20, 30}),
        ("specific { versions: 20 versions: 99 }", {20}),
    ],
)
def test_the_policy_decides_which_versions_are_loaded(models: Path, policy: str, expected: set[int]) -> None:
    config = text_format.Parse(
        f'model_config_list {{ config {{ name: "m" model_version_policy {{ {policy} }} }} }}', ModelServerConfig()
    )
    (entry,) = config.model_config_list.config
    assert expected == model_config.loaded(entry, [30, 10, 20])
    assert set() == model_config.loaded(entry, [])


@pytest.mark.parametrize("text", ["{", "model_list {}", "custom_model_config {}", "\udcff"])
def test_the_error_of_an_invalid_config_names_the_file(models: Path, text: str) -> None:
    (models / "models.config").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError, match=r"models\.config .*(delete it|give a model_config_list)"):
        model_config.read(models)


def test_a_config_with_another_folder_is_refused(models: Path) -> None:
    other = f'model_config_list {{ config {{ name: "{MODEL}" base_path: "/srv/other/{MODEL}" }} }}'
    (models / "models.config").write_text(other)
    with pytest.raises(SettingsError, match=r"base_path '/srv/other/critic' .*; correct the file or delete it"):
        model_config.entry(model_config.read(models), models, MODEL)


def test_a_copy_and_a_moved_folder_name_their_own_versions(models: Path, tmp_path: Path, caplog) -> None:
    model_config.ensure(models, MODEL)
    config = model_config.read(models)
    config.model_config_list.config.add(name="other", base_path="/srv/other")
    model_config.write(models, config)
    copy = tmp_path / "copy" / "models"
    shutil.copytree(models, copy)
    # Commands that only read see the copy's own folder, too.
    assert model_config.entry(model_config.read(copy), copy, MODEL).base_path == str(copy / MODEL)
    model_config.ensure(copy, MODEL)
    paths = [one.base_path for one in model_config.read(copy).model_config_list.config]
    assert paths == [str(copy / MODEL), "/srv/other"]
    assert f"models.config followed its folder: {models / MODEL} is {copy / MODEL} now" in caplog.messages
    assert str(copy) not in (models / "models.config").read_text()

    moved = tmp_path / "moved" / "models"
    moved.parent.mkdir()
    models.rename(moved)
    assert str(moved / MODEL) in model_config.ensure(moved, MODEL).read_text()


def test_a_path_that_leads_to_this_folder_stays(models: Path, tmp_path: Path) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / models.name).symlink_to(models)
    linked = tmp_path / "link" / models.name
    before = model_config.ensure(linked, MODEL).read_text()
    assert str(linked / MODEL) in before
    assert model_config.ensure(models, MODEL).read_text() == before


def test_versions_of_another_workspace_that_still_exist_stay(models: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / models.name / "critic_two"
    elsewhere.mkdir(parents=True)
    text = f'model_config_list {{ config {{ name: "critic_two" base_path: "{elsewhere}" }} }}'
    (models / "models.config").write_text(text)
    assert model_config.ensure(models, MODEL).read_text() == text


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_servers_under_another_user_can_read_the_config(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        model_config.ensure(tmp_path, "tiny")
    finally:
        os.umask(before)
    assert (tmp_path / "models.config").stat().st_mode & 0o777 == 0o644

"""Tests of the repair on real stores, and on pipelines that TFX runs after it."""

import shutil
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from pipeline.running.runner import CheckedRunner
from pipeline.settings import load_settings
from pipeline.workspace.metadata_connection import metadata_connection
from pipeline.workspace.places import prepare_places
from pipeline.workspace.repair import repair
from pipeline.workspace.run_names import PIPELINE_NAME
from pipeline.workspace.store import WorkspaceStore


@component
def Maker(model: OutputArtifact[standard_artifacts.Model]):  # noqa: N802 - a node
    Path(model.uri).mkdir(parents=True, exist_ok=True)
    Path(model.uri, "made").write_text("content")


def run(workspace: Path):
    settings = load_settings()
    places = prepare_places(settings.config, workspace)
    pipeline = Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=str(places.artifacts),
        components=[Maker()],
        enable_cache=True,
        metadata_connection_config=metadata_connection(settings.config.metadata, workspace),
    )
    runner = CheckedRunner(settings, workspace, verbose=False)
    runner.run(pipeline)
    node = runner.outcome.nodes["Maker"]
    return node.state, Path(node.outputs["model"][0].uri)


def store_of(workspace: Path) -> WorkspaceStore:
    return WorkspaceStore(metadata_connection(load_settings().config.metadata, workspace))


@pytest.mark.parametrize("name", ["workspace", "a [b]* ?c# %20 ü"])
def test_a_copied_and_a_moved_workspace_use_their_own_files(tmp_path, name):
    original, copy = tmp_path / name, tmp_path / "copies" / f"{name} 2"
    assert run(original) == ("COMPLETE", original / "artifacts/Maker/model/1")
    shutil.copytree(original, copy)
    shutil.rmtree(original / "artifacts")
    assert run(copy) == ("CACHED", copy / "artifacts/Maker/model/1")
    moved = copy.rename(tmp_path / "moved")
    assert run(moved) == ("CACHED", moved / "artifacts/Maker/model/1")


def test_a_node_whose_output_is_gone_runs_again_and_it_is_said(tmp_path, capfd):
    run(tmp_path)
    shutil.rmtree(tmp_path / "artifacts/Maker/model/1")
    capfd.readouterr()
    assert run(tmp_path) == ("COMPLETE", tmp_path / "artifacts/Maker/model/2")
    said, *_ = capfd.readouterr().out.splitlines()
    assert said.startswith("the files of 1 earlier outputs are gone, the first is artifacts/Maker/model/1; ")
    assert run(tmp_path) == ("CACHED", tmp_path / "artifacts/Maker/model/2")


def test_an_output_that_is_back_is_used_again(tmp_path, capfd):
    run(tmp_path)
    away = (tmp_path / "artifacts").rename(tmp_path / "away")
    assert len(repair(store_of(tmp_path), tmp_path)) == 1
    assert repair(store_of(tmp_path), tmp_path) == []
    away.rename(tmp_path / "artifacts")
    capfd.readouterr()
    assert run(tmp_path) == ("CACHED", tmp_path / "artifacts/Maker/model/1")
    assert "the files of 1 earlier outputs are back" in capfd.readouterr().out


def test_absolute_paths_of_an_earlier_version_become_relative(tmp_path):
    run(tmp_path)
    store = store_of(tmp_path)
    (artifact,) = store.get_artifacts()
    artifact.uri = f"/some/other/place/{artifact.uri}"
    artifact.custom_properties["current_model"].string_value = "/some/other/place/artifacts/Trainer/model/9"
    store.put_artifacts([artifact])
    (said,) = repair(store, tmp_path)
    assert said.startswith("1 paths in ML Metadata named another folder")
    (artifact,) = store.get_artifacts()
    assert artifact.uri == "artifacts/Maker/model/1"
    assert artifact.custom_properties["current_model"].string_value == "artifacts/Trainer/model/9"
    assert run(tmp_path)[0] == "CACHED"


def test_a_pushed_model_is_gone_with_its_version(tmp_path):
    run(tmp_path)
    store = store_of(tmp_path)
    (artifact,) = store.get_artifacts()
    artifact.custom_properties["pushed_destination"].string_value = "models/m/7"
    store.put_artifacts([artifact])
    assert len(repair(store, tmp_path)) == 1
    assert [found.state for found in store.get_artifacts()] == [mlmd.Artifact.DELETED]
    (tmp_path / "models/m/7").mkdir(parents=True)
    assert len(repair(store, tmp_path)) == 1
    assert [found.state for found in store.get_artifacts()] == [mlmd.Artifact.LIVE]


def test_artifacts_elsewhere_stay_as_they_are(tmp_path):
    run(tmp_path)
    store = store_of(tmp_path)
    (artifact,) = store.get_artifacts()
    for uri in ("gs://bucket/artifacts/Maker/model/1", "/srv/gone"):
        artifact.uri = uri
        store.put_artifacts([artifact])
        assert repair(store, tmp_path) == []
        assert [(found.uri, found.state) for found in store.get_artifacts()] == [(uri, mlmd.Artifact.LIVE)]

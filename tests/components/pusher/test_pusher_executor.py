import json
import shutil
from pathlib import Path

import pytest
from saved_models import FILES, contents, numbers
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.pusher.executor import AtomicPusherExecutor
from serving.releases.versions import RELEASE_FILE

SELECTION = {
    "winner": "vector",
    "reason": "vector is better",
    "metrics": {"scalar": {"accuracy": 0.5}, "vector": {"accuracy": 0.75, "auc": 0.875, "log_loss": 0.25}},
}


def blessing_of(kind: type, folder: Path, *, blessed: bool):
    artifact = kind()
    artifact.uri = str(folder)
    artifact.set_int_custom_property("blessed", int(blessed))
    return artifact


def execute(
    source: Path,
    base: Path,
    tmp_path: Path,
    *,
    blessed: bool = True,
    infra_blessed: bool = True,
    selection: dict | None = SELECTION,
) -> standard_artifacts.PushedModel:
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "artifact")
    shutil.copytree(source, tmp_path / "artifact" / "Format-Serving")
    if selection:
        (tmp_path / "artifact" / "selection.json").write_text(json.dumps(selection))
    quality = blessing_of(standard_artifacts.ModelBlessing, tmp_path / "quality", blessed=blessed)
    infra = blessing_of(standard_artifacts.InfraBlessing, tmp_path / "infra", blessed=infra_blessed)
    infra.set_string_custom_property("reason", "64 reviews, all the same")
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "pushed")
    destination = pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(base)))
    AtomicPusherExecutor(AtomicPusherExecutor.Context(pipeline_run_id="monday")).Do(
        {"model": [model], "model_blessing": [quality], "infra_blessing": [infra]},
        {"pushed_model": [pushed]},
        {"push_destination": proto_utils.proto_to_json(destination)},
    )
    return pushed


def test_a_blessed_model_is_pushed(source, base, tmp_path):
    pushed = execute(source, base, tmp_path)
    (number,) = numbers(base)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(base / str(number))
    assert pushed.get_string_custom_property("pushed_version") == str(number)
    assert contents(base / str(number)).keys() == {*FILES, RELEASE_FILE}


def test_the_release_file_describes_the_model(source, base, tmp_path):
    pushed = execute(source, base, tmp_path)
    release = json.loads(Path(pushed.get_string_custom_property("pushed_destination"), RELEASE_FILE).read_text())
    del release["source"], release["sha256"], release["pushed_at"]
    assert release == {
        "run_id": "monday",
        "mode": "vector",
        "metrics": {"accuracy": 0.75, "auc": 0.875, "log_loss": 0.25},
        "reason": "vector is better",
        "blessings": {
            "model": {"blessed": True, "artifact": str(tmp_path / "quality")},
            "infra": {"blessed": True, "artifact": str(tmp_path / "infra"), "reason": "64 reviews, all the same"},
        },
    }


def test_a_model_without_a_selection_is_pushed_without_metrics(source, base, tmp_path):
    pushed = execute(source, base, tmp_path, selection=None)
    release = json.loads(Path(pushed.get_string_custom_property("pushed_destination"), RELEASE_FILE).read_text())
    assert release["run_id"] == "monday"
    assert "mode" not in release


@pytest.mark.parametrize(("blessed", "infra_blessed"), [(False, True), (True, False)])
def test_a_model_that_is_not_blessed_is_not_pushed(source, base, tmp_path, blessed, infra_blessed):
    pushed = execute(source, base, tmp_path, blessed=blessed, infra_blessed=infra_blessed)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not base.exists()

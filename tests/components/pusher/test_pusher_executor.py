import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from saved_models import INGEST, PREDICTIONS, contents, numbers
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.artifacts import GZIP, declare_splits
from components.pusher.executor import AtomicPusherExecutor
from imdb_core.settings import CardSettings
from serving.releases.versions import CARD_JSON, CARD_TEXT, PAPERS, RELEASE_FILE, check_files, read_versions

SELECTION = {
    "winner": "vector",
    "reason": "vector is better",
    "confidence": 0.9,
    "parameters": {"scalar": 10, "vector": 1234},
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
    settings: CardSettings = CardSettings(),  # noqa: B008 - immutable
) -> standard_artifacts.PushedModel:
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "artifact")
    shutil.copytree(source, tmp_path / "artifact" / "Format-Serving")
    (tmp_path / "artifact" / "selection.json").write_text(json.dumps(SELECTION))
    examples, predictions = standard_artifacts.Examples(), standard_artifacts.Examples()
    examples.uri, predictions.uri = str(tmp_path / "examples"), str(tmp_path / "predictions")
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "ingest_report.json").write_text(json.dumps(INGEST))
    declare_splits(predictions, ["test"])
    (tmp_path / "predictions" / "Split-test").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(tmp_path / "predictions" / "Split-test" / "data.gz"), GZIP) as writer:
        for record in PREDICTIONS:
            writer.write(record)
    quality = blessing_of(standard_artifacts.ModelBlessing, tmp_path / "quality", blessed=blessed)
    infra = blessing_of(standard_artifacts.InfraBlessing, tmp_path / "infra", blessed=infra_blessed)
    infra.set_string_custom_property("reason", "64 reviews, all the same")
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "pushed")
    destination = pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(base)))
    AtomicPusherExecutor(AtomicPusherExecutor.Context(pipeline_run_id="monday")).Do(
        {
            "model": [model],
            "model_blessing": [quality],
            "infra_blessing": [infra],
            "examples": [examples],
            "predictions": [predictions],
        },
        {"pushed_model": [pushed]},
        {
            "push_destination": proto_utils.proto_to_json(destination),
            "card_settings": settings.model_dump_json(),
            "assignments": '["preset=blog", "training.epochs=3"]',
        },
    )
    return pushed


def test_a_blessed_model_is_pushed(running_model, base, tmp_path):
    pushed = execute(running_model, base, tmp_path)
    (number,) = numbers(base)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(base / str(number))
    assert pushed.get_string_custom_property("pushed_version") == str(number)
    assert contents(base / str(number)).keys() == {*contents(running_model), RELEASE_FILE, *PAPERS}
    check_files(read_versions(base)[number])


def test_the_release_file_describes_the_model(running_model, base, tmp_path):
    pushed = execute(running_model, base, tmp_path)
    release = json.loads(Path(pushed.get_string_custom_property("pushed_destination"), RELEASE_FILE).read_text())
    del release["source"], release["sha256"], release["pushed_at"], release["papers"], release["card_settings"]
    assert release == {
        "run_id": "monday",
        "mode": "vector",
        "metrics": {"accuracy": 0.75, "auc": 0.875, "log_loss": 0.25},
        "reason": "vector is better",
        "data": {"source": "sample", "fingerprint": "f1" * 32},
        "blessings": {
            "model": {"blessed": True, "artifact": str(tmp_path / "quality")},
            "infra": {"blessed": True, "artifact": str(tmp_path / "infra"), "reason": "64 reviews, all the same"},
        },
    }


def test_the_card_describes_the_winner(running_model, base, tmp_path):
    execute(running_model, base, tmp_path, settings=CardSettings(license="CC-BY-4.0"))
    (number,) = numbers(base)
    card = json.loads((base / str(number) / CARD_JSON).read_text())
    model = card["model"]
    assert (model["name"], model["version"], model["mode"]) == ("critic", number, "vector")
    assert (model["parameters"], model["license"]) == (1234, "CC-BY-4.0")
    assert card["metrics"]["metrics"][0]["estimate"]["value"] == 2 / 3
    assert card["metrics"]["confidence"] == 0.9
    assert card["reproduce"]["set"] == ["preset=blog", "training.epochs=3"]
    # This model answers "positive" only to texts that contain "good".
    negation = next(one for one in card["limits"] if one["kind"] == "negation")
    assert "This film is not good at all." in negation["wrong"]
    assert (base / str(number) / CARD_TEXT).read_text().startswith(f"# Model card: critic, version {number}\n")


@pytest.mark.parametrize(("blessed", "infra_blessed"), [(False, True), (True, False)])
def test_a_model_that_is_not_blessed_is_not_pushed(running_model, base, tmp_path, blessed, infra_blessed):
    pushed = execute(running_model, base, tmp_path, blessed=blessed, infra_blessed=infra_blessed)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not base.exists()

"""Batch inference without a server makes the same predictions as the server."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import keras
import pytest
import tensorflow as tf
from client_workspace import Workspace
from command_line import approximately, call, rows
from running_server import RunningServer

from imdb_core.errors import ReviewPipelineError
from serving.client.errors import BulkInferenceError
from serving.predict import bulk
from serving.predict.bulk import predict_in_bulk, released_model

pytestmark = pytest.mark.slow

TEXTS = ["A warm and funny film", "", "Ünlü, ΟΣ<br />don't 🎬 \0 日本", "word " * 30, "one\u2028two\x85three\rfour"] + [
    f"review number {number}{' again' * (number % 7)}" for number in range(200)
]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    lines = [json.dumps({"id": f"id{number}", "text": text}) + "\n" for number, text in enumerate(TEXTS)]
    (tmp_path / "a.jsonl").write_text("".join(lines[:150]))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress("".join(lines[150:]).encode()))
    return tmp_path


def test_predictions_equal_those_of_the_server(
    reviews: Path, workspace: Workspace, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMDB_WORKSPACE", str(workspace.folder))
    monkeypatch.setattr(bulk, "_SORTED", 2 * bulk._TOGETHER)
    source = ["predict", "--input", f"{reviews}/*.jsonl*"]
    asked, alone, again = (reviews / name for name in ("asked", "alone", "again"))
    assert call(*source, "--output", str(asked), "--server", server.target).exit_code == 0
    result = call(*source, "--output", str(alone), "--beam")
    stable = workspace.models / "imdb_attention" / "1"
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{len(TEXTS)} predictions of {stable} in {alone}\n"

    expected = rows(asked.read_text())
    assert [row["text"] for row in expected] == TEXTS
    assert {row["model_version"] for row in expected} == {1}
    assert rows(alone.read_text()) == [approximately(row) for row in expected]

    assert predict_in_bulk(stable, [reviews / "a.jsonl", reviews / "b.jsonl.gz"], again) == len(TEXTS)
    assert rows(again.read_text()) == [approximately(row) for row in expected]


def test_the_workspace_may_be_in_the_home_folder(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(workspace.folder.parent))
    monkeypatch.setenv("IMDB_WORKSPACE", f"~/{workspace.folder.name}")
    (tmp_path / "in.txt").write_text("a film\n")
    output = tmp_path / "out.jsonl"
    result = call("predict", "--input", str(tmp_path / "in.txt"), "--output", str(output), "--beam")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"1 predictions of {workspace.models / 'imdb_attention' / '1'} in {output}\n"


def test_a_model_outside_the_workspace_can_be_given(reviews: Path, workspace: Workspace, tmp_path: Path) -> None:
    model = workspace.models / "imdb_attention" / "2"
    (tmp_path / "a_model").symlink_to(model)
    (tmp_path / "some.text").write_text('{"text": "x"}\n\n')
    output = tmp_path / "out.jsonl"
    arguments = ["predict", "--beam", "--jsonl", "--input", f"{tmp_path}/some.text", "--output", str(output)]
    assert call(*arguments, "--saved-model", str(model)).exit_code == 0
    (of_version,) = rows(output.read_text())
    assert (of_version["line"], of_version["model_version"]) == (1, 2)
    assert call(*arguments, "--saved-model", f"{tmp_path}/a_model").exit_code == 0
    assert rows(output.read_text()) == [{**of_version, "model_version": None}]


def test_an_empty_input_gives_an_empty_output(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("")
    assert predict_in_bulk(workspace.models / "old" / "5", [tmp_path / "in.txt"], tmp_path / "out") == 0
    assert (tmp_path / "out").read_text() == ""


def test_the_default_version_is_the_one_that_a_server_would_use(workspace: Workspace, tmp_path: Path) -> None:
    def found(model: str, version: str | None = None) -> int:
        return int(released_model(workspace.folder, model, version).name)

    assert found("imdb_attention") == 1  # stable
    assert found("imdb_attention", "canary") == 2
    assert found("imdb_attention", "2") == 2
    assert found("unlabelled") == 4  # the newest
    with pytest.raises(ReviewPipelineError, match="there is no version '9' of model 'imdb_attention'; give one of"):
        found("imdb_attention", "9")
    with pytest.raises(BulkInferenceError, match=r"no version of model 'critic' was pushed to .*models; push one"):
        released_model(tmp_path, "critic")


def write_naively(path: Path) -> None:
    """Writes a model that Python can load but a graph session cannot run, a trap of Keras 3."""
    network = keras.Sequential([keras.Input([1]), keras.layers.Dense(2, "softmax")])

    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": network(tf.cast(tf.strings.length(examples)[:, tf.newaxis], tf.float32))}

    signature = tf.function(serving_default, input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    tf.saved_model.save(network, str(path), signatures={"serving_default": signature})


def test_a_model_that_cannot_be_run_is_reported_in_one_line(
    reviews: Path, half_plus_two: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "out.jsonl"
    (tmp_path / "empty").mkdir()
    write_naively(tmp_path / "naive")
    for model, why in (
        (half_plus_two, "Input dtype is expected to be 7, got 1"),
        (tmp_path / "empty", "SavedModel file does not exist"),
        (tmp_path / "naive", "Could not find variable"),
    ):
        arguments = ["--input", f"{reviews}/a.jsonl", "--output", str(output), "--saved-model", str(model)]
        result = call("predict", "--beam", *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"error: cannot run {model} on the reviews: ")
        assert why in line
        assert line.endswith("; give a model that the pipeline exported")
        assert not output.exists()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []

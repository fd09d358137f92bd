from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from imdb_core.errors import RunError
from serving.runtime.cpp_loader import CppSavedModel

LONG = "far too long for the 24 bytes of a TF_TString: " + "🎬" * 100


class Echo(tf.Module):
    """Returns its inputs, and counts the calls in a variable that the checkpoint sets to 10."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(10, dtype=tf.int64)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="text"),
            tf.TensorSpec([None, 2], tf.int64, name="ids"),
            tf.TensorSpec([], tf.float64, name="scale"),
        ]
    )
    def __call__(self, text: tf.Tensor, ids: tf.Tensor, scale: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "text": text,
            "upper": tf.strings.upper(text),
            "scaled": tf.cast(ids, tf.float64) * scale,
            "ids": ids,
            "any": tf.reduce_any(ids > 0, axis=1),
            "calls": self.calls.assign_add(1),
            "checked": tf.debugging.check_numerics(scale, "scale"),
        }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("echo"))
    echo = Echo()
    tf.saved_model.save(echo, folder, signatures={"echo": echo.__call__})
    return folder


@pytest.fixture
def loaded(path: str) -> Iterator[CppSavedModel]:
    with CppSavedModel(path) as model:
        yield model


def test_values_of_all_dtypes_go_in_and_come_out(loaded: CppSavedModel) -> None:
    outputs = loaded.run("echo", {"text": ["short", LONG, b"\xff\0", ""], "ids": [[1, 2**40], [0, -3]], "scale": 0.5})
    assert set(outputs) == {"text", "upper", "scaled", "ids", "any", "calls", "checked"}
    assert outputs["text"].tolist() == [b"short", LONG.encode(), b"\xff\0", b""]
    assert outputs["upper"].tolist()[0] == b"SHORT"
    assert (outputs["ids"].dtype, outputs["ids"].tolist()) == (np.int64, [[1, 2**40], [0, -3]])
    assert (outputs["scaled"].dtype, outputs["scaled"].tolist()) == (np.float64, [[0.5, 2.0**39], [0.0, -1.5]])
    assert outputs["any"].tolist() == [True, False]
    assert (outputs["calls"].shape, outputs["calls"]) == ((), 11)
    assert outputs["checked"] == 0.5


def test_empty_batches_keep_their_shape(loaded: CppSavedModel) -> None:
    outputs = loaded.run("echo", {"text": [], "ids": np.empty((0, 2), np.int64), "scale": 1.0})
    assert [outputs[name].shape for name in ("text", "upper", "scaled", "any")] == [(0,), (0,), (0, 2), (0,)]


def test_a_session_keeps_its_variables_until_it_is_closed(path: str) -> None:
    inputs = {"text": ["a"], "ids": [[1, 1]], "scale": 1.0}
    for _ in range(2):
        with CppSavedModel(path) as model:
            assert [int(model.run("echo", inputs)["calls"]) for _ in range(3)] == [11, 12, 13]


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("say", {}, r"no signature 'say'; use one of .*'echo'"),
        ("echo", {"text": ["a"], "words": ["b"]}, r"got inputs \['text', 'words'\]; give \['ids', 'scale', 'text'\]"),
        (
            "echo",
            {"text": ["a"], "ids": [[1, 1]], "scale": np.nan},
            "fails in signature 'echo' .*scale : Tensor had NaN",
        ),
    ],
)
def test_an_invalid_call_is_an_error(loaded: CppSavedModel, signature: str, inputs: dict, message: str) -> None:
    with pytest.raises(RunError, match=message):
        loaded.run(signature, inputs)
    # The model still works.
    assert loaded.run("echo", {"text": ["a"], "ids": [[1, 1]], "scale": 1.0})["text"] == [b"a"]


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no saved_model\.pb"):
        CppSavedModel(str(tmp_path))


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "12").touch()
    with pytest.raises(RunError, match=r"holds no saved_model\.pb"):
        CppSavedModel(str(tmp_path / "12"))


def test_a_model_with_missing_files_is_refused(path: str, tmp_path: Path) -> None:
    shutil.copytree(path, tmp_path / "half")
    next((tmp_path / "half" / "variables").glob("*.data-*")).unlink()
    with pytest.raises(RunError, match=r"cannot be loaded .*variables"):
        CppSavedModel(str(tmp_path / "half"))

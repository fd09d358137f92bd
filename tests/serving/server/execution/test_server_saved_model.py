"""What the C++ loader can load and what it cannot, told apart by the embedded server alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from imdb_core.errors import RunError
from serving.runtime.cpp_loader import CppSavedModel
from serving.server.errors import StatusError
from serving.server.execution.servable import Servable
from serving.server.execution.session import open_session


class Vocabulary(tf.Module):
    """Has a table that is filled from an asset, by an op that must run after loading."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        file.write_text("alpha\nbeta\ngamma\n")
        words = tf.lookup.TextFileInitializer(
            str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.table = tf.lookup.StaticHashTable(words, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="word")])
    def __call__(self, word: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"id": self.table.lookup(word)}


def copy(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


def rewrite(model: Path, change: Callable[[saved_model_pb2.SavedModel], object]) -> None:
    saved = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    change(saved)
    (model / "saved_model.pb").write_bytes(saved.SerializeToString())


def refused(path: Path) -> StatusError:
    """The error, of a model that the C++ loader refuses too."""
    with pytest.raises(RunError):
        CppSavedModel(str(path))
    with pytest.raises(StatusError) as failure:
        open_session(str(path))
    return failure.value


def test_assets_are_read(tmp_path: Path) -> None:
    module = Vocabulary(tmp_path / "words.txt")
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.__call__)
    (tmp_path / "words.txt").unlink()  # the model has its own
    servable = Servable.load("words", 1, str(tmp_path / "model"))
    words = np.array([b"gamma", b"delta", b"alpha"], object)
    assert servable.run("serving_default", {"word": words})["id"].tolist() == [2, -1, 0]
    servable.close()


@pytest.mark.parametrize("collection", ["main_op", "legacy_init_op"])
def test_models_of_tensorflow_1_are_restored_and_initialised(tmp_path: Path, collection: str) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        restored = v1.get_variable("restored", initializer=1.0, use_resource=True)
        initialised = v1.get_variable("initialised", initializer=1.0, use_resource=True, collections=["own"])
        session.run([restored.initializer, initialised.initializer])
        session.run(restored.assign(3.0))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": x * restored + initialised})
        builder = v1.saved_model.Builder(str(tmp_path / "model"))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"times": signature}, **{collection: initialised.assign(0.5).op}
        )
        builder.save()
    servable = Servable.load("times", 1, str(tmp_path / "model"))
    assert servable.run("times", {"x": np.float32([2])})["y"].tolist() == [6.5]
    servable.close()


def test_a_naive_export_of_keras_3_is_refused(broken: Path) -> None:
    with pytest.raises(StatusError) as failure:
        open_session(str(broken))
    assert failure.value.code == grpc.StatusCode.FAILED_PRECONDITION
    assert failure.value.message.startswith("Could not find variable sequential")
    # The C++ runtime says the same, but only when the signature runs.
    with CppSavedModel(str(broken)) as model, pytest.raises(RunError, match="Could not find variable sequential"):
        model.run("serving_default", {"x": np.float32([1])})


def test_a_variable_that_no_signature_reads_may_stay_unset(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        v1.get_variable("unused", initializer=1.0, use_resource=True, collections=["own"])
        builder = v1.saved_model.Builder(str(tmp_path / "model"))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": x + 1.0})
        builder.add_meta_graph_and_variables(session, ["serve"], {"next": signature})
        builder.save()
    servable = Servable.load("next", 1, str(tmp_path / "model"))
    assert servable.run("next", {"x": np.float32([1])})["y"].tolist() == [2]
    servable.close()


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert error.code == grpc.StatusCode.NOT_FOUND
    assert error.message == f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {tmp_path}"


def test_a_file_that_is_no_model(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    (path / "saved_model.pb").write_bytes(b"\xff no proto")
    with pytest.raises(StatusError, match=r"DATA_LOSS: Can't parse .*/copy/saved_model\.pb as binary proto"):
        open_session(str(path))


def test_a_model_that_is_not_for_serving(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    rewrite(path, lambda saved: saved.meta_graphs[0].meta_info_def.tags.append("gpu"))
    error = refused(path)
    assert error.code == grpc.StatusCode.NOT_FOUND
    assert error.message.startswith("Could not find meta graph def matching supplied tags: { serve }")


def test_variables_that_are_not_there_yet(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    next((path / "variables").glob("*.data-*")).unlink()
    assert refused(path).code in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DATA_LOSS}


def test_no_variables_at_all(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    shutil.rmtree(path / "variables")
    with pytest.raises(StatusError, match="FAILED_PRECONDITION: Could not find variable Variable,"):
        open_session(str(path))


def test_half_a_checkpoint(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    (path / "variables" / "variables.index").write_bytes(b"torn")
    assert refused(path).code == grpc.StatusCode.DATA_LOSS


def test_an_op_that_this_tensorflow_lacks(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    rewrite(path, lambda saved: saved.meta_graphs[0].graph_def.node.add(name="future", op="FromTensorFlow3"))
    error = refused(path)
    assert "FromTensorFlow3" in error.message


def test_a_signature_whose_tensors_are_gone_is_listed_and_fails(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)

    def change(saved: saved_model_pb2.SavedModel) -> None:
        saved.meta_graphs[0].signature_def["regress"].outputs["outputs"].name = "gone:0"

    rewrite(path, change)
    servable = Servable.load("half", 1, str(path))
    for _ in range(2):
        with pytest.raises(StatusError, match=r"INVALID_ARGUMENT: .*gone"):
            servable.run("regress", {"inputs": np.array([b""], object)})
    assert servable.run("serving_default", {"x": np.float32([2])})["y"].tolist() == [3]
    servable.close()

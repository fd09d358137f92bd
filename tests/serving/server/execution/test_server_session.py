"""The embedded server loads the models that the C++ loader loads, and refuses the models that it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from imdb_core.errors import RunError
from serving.runtime.cpp_loader import CppSavedModel
from serving.server.errors import ServingError
from serving.server.execution.servable import Servable
from serving.server.execution.session import POOLS, least_busy, open_session, run_session, session_config


class Vocabulary(tf.Module):
    """A table that an op fills from an asset after loading."""

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


def load_error(path: Path) -> ServingError:
    with pytest.raises(ServingError) as failure:
        open_session(str(path))
    return failure.value


def refused(path: Path) -> ServingError:
    """Returns the error for a model that the C++ loader refuses too."""
    with pytest.raises(RunError):
        CppSavedModel(str(path))
    return load_error(path)


def test_assets_are_read(tmp_path: Path) -> None:
    module = Vocabulary(tmp_path / "words.txt")
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.__call__)
    (tmp_path / "words.txt").unlink()  # the model keeps a copy
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


def test_a_plain_export_of_keras_3_is_refused(broken: Path) -> None:
    with pytest.raises(ServingError) as failure:
        open_session(str(broken))
    assert failure.value.code == grpc.StatusCode.FAILED_PRECONDITION
    assert failure.value.message.startswith("Could not find variable sequential")
    # The C++ runtime gives the same message, but only when the signature runs.
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


def test_a_folder_without_a_model_is_not_found(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert error.code == grpc.StatusCode.NOT_FOUND
    assert error.message == f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {tmp_path}"


def test_a_file_in_place_of_a_version_folder_is_not_found(tmp_path: Path) -> None:
    file = tmp_path / "12"
    file.write_text("not a folder")
    error = load_error(file)
    assert error.code == grpc.StatusCode.NOT_FOUND
    assert error.message == f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {file}"


def test_an_unreadable_model_file_keeps_tensorflows_status(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").mkdir()
    assert load_error(tmp_path).code == grpc.StatusCode.FAILED_PRECONDITION


def test_a_file_that_is_not_a_saved_model_is_refused(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    (path / "saved_model.pb").write_bytes(b"\xff no proto")
    with pytest.raises(ServingError, match=r"DATA_LOSS: Can't parse .*/copy/saved_model\.pb as binary proto"):
        open_session(str(path))


def test_a_model_without_the_serve_tag_is_refused(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    rewrite(path, lambda saved: saved.meta_graphs[0].meta_info_def.tags.append("gpu"))
    error = refused(path)
    assert error.code == grpc.StatusCode.NOT_FOUND
    assert error.message.startswith("Could not find meta graph def matching supplied tags: { serve }")


def test_a_checkpoint_without_data_is_refused(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    next((path / "variables").glob("*.data-*")).unlink()
    assert refused(path).code in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DATA_LOSS}


def test_a_model_without_its_variables_is_refused(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    shutil.rmtree(path / "variables")
    with pytest.raises(ServingError, match="FAILED_PRECONDITION: Could not find variable Variable,"):
        open_session(str(path))


def test_a_damaged_checkpoint_is_refused(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    (path / "variables" / "variables.index").write_bytes(b"torn")
    assert refused(path).code == grpc.StatusCode.DATA_LOSS


def test_an_unknown_op_is_refused(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)
    rewrite(path, lambda saved: saved.meta_graphs[0].graph_def.node.add(name="future", op="FromTensorFlow3"))
    error = refused(path)
    assert "FromTensorFlow3" in error.message


def test_a_signature_with_missing_tensors_is_listed_and_fails(half_plus_two: Path, tmp_path: Path) -> None:
    path = copy(half_plus_two, tmp_path)

    def change(saved: saved_model_pb2.SavedModel) -> None:
        saved.meta_graphs[0].signature_def["regress"].outputs["outputs"].name = "gone:0"

    rewrite(path, change)
    servable = Servable.load("half", 1, str(path))
    for _ in range(2):
        with pytest.raises(ServingError, match=r"INVALID_ARGUMENT: .*gone"):
            servable.run("regress", {"inputs": np.array([b""], object)})
    assert servable.run("serving_default", {"x": np.float32([2])})["y"].tolist() == [3]
    servable.close()


def test_concurrent_runs_are_spread_evenly_over_the_pools() -> None:
    with ExitStack() as runs:
        first = [runs.enter_context(least_busy()) for _ in range(POOLS)]
        assert sorted(first) == list(range(POOLS))
        second = [runs.enter_context(least_busy()) for _ in range(POOLS)]
        assert sorted(second) == list(range(POOLS))
    with least_busy() as pool:
        assert pool == 0


def test_a_failing_run_gives_its_pool_back() -> None:
    for _ in range(2 * POOLS):
        with pytest.raises(ZeroDivisionError), least_busy() as pool:
            1 / pool


def test_each_pool_has_one_thread_and_a_name_of_its_own() -> None:
    pools = session_config().session_inter_op_thread_pool
    assert [pool.num_threads for pool in pools] == [1] * POOLS
    assert len({pool.global_name for pool in pools}) == POOLS


def test_sessions_accept_every_pool_and_no_other() -> None:
    with tf.Graph().as_default() as graph:
        one = tf.constant(1)
    with tf.compat.v1.Session(graph=graph, config=session_config()) as session:
        for pool in range(POOLS):
            assert session.run(one, options=tf.compat.v1.RunOptions(inter_op_thread_pool=pool)) == 1
        with pytest.raises(tf.errors.InvalidArgumentError, match="inter_op_thread_pool"):
            session.run(one, options=tf.compat.v1.RunOptions(inter_op_thread_pool=POOLS))


def test_tensors_are_computed_as_by_the_session_itself() -> None:
    with tf.Graph().as_default() as graph:
        numbers = tf.compat.v1.placeholder(tf.float32, [None])
        texts = tf.compat.v1.placeholder(tf.string, None)
        total = tf.reduce_sum(numbers)
        joined = tf.strings.join([texts, b"\0"])
        # One twice, one that is fed, scalars, and text that ends in NUL.
        fetches = [numbers * 2, total, total, numbers, joined, tf.strings.as_string(total)]
    options = tf.compat.v1.RunOptions(inter_op_thread_pool=0, timeout_in_ms=60_000)
    with tf.compat.v1.Session(graph=graph, config=session_config()) as session:
        for text in (np.array([b"a", b""], object), np.array(b"a", object), np.array([], object)):
            feeds = {numbers: np.float32([1, 2]), texts: text}
            expected = session.run(fetches, feeds)
            found = run_session(session, fetches, feeds, options)
            assert [type(value) for value in found] == [type(value) for value in expected]
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)
        # A signature may return its input, and nothing else.
        assert run_session(session, [numbers], {numbers: np.float32([3])}, options)[0].tolist() == [3]


def test_a_run_that_fails_has_the_code_and_the_message_of_its_op() -> None:
    with tf.Graph().as_default() as graph:
        text = tf.compat.v1.placeholder(tf.string, [])
        number = tf.strings.to_number(text)
    with tf.compat.v1.Session(graph=graph, config=session_config()) as session:
        session.run(number, {text: b"1"})
        with pytest.raises(tf.errors.InvalidArgumentError, match="could not correctly convert string: word"):
            run_session(session, [number], {text: np.array(b"word", object)}, tf.compat.v1.RunOptions())


def write_parsed(path: Path, tags: list[str]) -> None:
    """Writes a model of TensorFlow 1 whose input is parsed from a tf.Example, which gives it an inferred shape."""
    saved_model = tf.compat.v1.saved_model
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        example = tf.compat.v1.placeholder(tf.string, [None], "tf_example")
        x = tf.identity(tf.io.parse_example(example, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"], "x")
        assert x.shape.as_list() == [None, 1]
        y = tf.identity(x * 2.0, "y")
        signatures = {
            "serving_default": saved_model.predict_signature_def({"x": x}, {"y": y}),
            "same": saved_model.predict_signature_def({"x": x}, {"y": y, "x": x}),
            "regress": saved_model.regression_signature_def(example, y),
        }
        builder = saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, tags, signatures)
        builder.save()


def test_an_input_with_an_inferred_shape_takes_any_shape(tmp_path: Path) -> None:
    write_parsed(tmp_path / "1", ["serve"])
    servable = Servable.load("m", 1, str(tmp_path / "1"))
    for x in (np.float32([3.0]), np.float32([[3.0]]), np.float32(3.0), np.float32([[1, 2], [3, 4]])):
        np.testing.assert_array_equal(x * 2, servable.run("serving_default", {"x": x})["y"])
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(4.0)
    regressed = servable.run("regress", {"inputs": np.array([example.SerializeToString()], object)})
    np.testing.assert_array_equal([[8.0]], regressed["outputs"])
    assert servable.signatures["serving_default"].inputs["x"].name == "x:0"
    servable.close()


def test_the_graph_with_the_given_tags_is_loaded(tmp_path: Path) -> None:
    write_parsed(tmp_path / "1", ["serve", "tpu"])
    Servable.load("m", 1, str(tmp_path / "1"), tags=["tpu", "serve"]).close()
    assert "matching supplied tags: { serve } in" in load_error(tmp_path / "1").message

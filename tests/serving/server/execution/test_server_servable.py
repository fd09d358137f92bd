from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import example, write_slow

from serving.runtime.cpp_loader import CppSavedModel
from serving.server.errors import ServingError
from serving.server.execution.servable import Servable

TEXTS = np.array(["short", "one of more than sixteen bytes", b"\xff\0", "", "ünïcödé 🎬 " * 50], object)
EXAMPLES = np.array([example(x=x).SerializeToString() for x in (-3.0, 0.0, 40.5)], object)
CALLS = {
    "serving_default": {"x": np.float32([1, -2, 1e30])},
    "regress": {"inputs": EXAMPLES},
    "classify": {"inputs": EXAMPLES},
    "serve_text": {"text": TEXTS},
    "explain": {"text": TEXTS},
}


class Kinds(tf.Module):
    """Two inputs in different order by alias and by tensor; shapes and dtypes of all kinds."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, 1], tf.float64, name="b"), tf.TensorSpec([None], tf.int64, name="a")]
    )
    def pair(self, b: tf.Tensor, a: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.squeeze(b) + tf.cast(a, tf.float64), "rank": tf.rank(b), "text": tf.constant(b"a\0")}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    def scalar(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def total(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x, "total": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def any_rank(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x}

    @tf.function(input_signature=[])
    def nothing(self) -> dict[str, tf.Tensor]:
        return {"y": tf.constant(1.0)}


@pytest.fixture(scope="module")
def servable(half_plus_two: Path) -> Iterator[Servable]:
    loaded = Servable.load("half_plus_two", 7, str(half_plus_two))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servable]:
    path = str(tmp_path_factory.mktemp("kinds"))
    module = Kinds()
    names = ("pair", "scalar", "total", "any_rank", "nothing")
    tf.saved_model.save(module, path, signatures={name: getattr(module, name) for name in names})
    loaded = Servable.load("kinds", 1, path)
    yield loaded
    loaded.close()


def test_a_servable_knows_its_model_and_signatures(servable: Servable, half_plus_two: Path) -> None:
    assert (servable.name, servable.version, servable.path) == ("half_plus_two", 7, str(half_plus_two))
    assert set(servable.signatures) == {*CALLS, "__saved_model_init_op"}
    assert servable.signatures["serve_text"].inputs["text"].tensor_shape.dim[0].size == -1


@pytest.mark.parametrize("signature", CALLS)
def test_answers_are_those_of_the_cpp_runtime(servable: Servable, half_plus_two: Path, signature: str) -> None:
    with CppSavedModel(str(half_plus_two)) as model:
        expected = model.run(signature, CALLS[signature])
    outputs = servable.run(signature, CALLS[signature])
    assert set(outputs) == set(expected)
    for alias, array in outputs.items():
        assert (array.dtype, array.shape) == (expected[alias].dtype, expected[alias].shape)
        assert array.tolist() == expected[alias].tolist()


@pytest.mark.parametrize("outputs", [["tokens"], ["probabilities"], ["tokens", "attention"], ["attention", "tokens"]])
def test_only_the_wanted_outputs_are_computed(servable: Servable, outputs: list[str]) -> None:
    everything = servable.run("explain", CALLS["explain"])
    some = servable.run("explain", CALLS["explain"], outputs)
    assert {alias: array.tolist() for alias, array in some.items()} == {
        alias: everything[alias].tolist() for alias in outputs
    }


def test_the_kernels_check_the_shapes(servable: Servable, kinds: Servable) -> None:
    assert servable.run("serving_default", {"x": np.float32([[2, 4]])})["y"].tolist() == [[3, 4]]
    assert servable.run("serving_default", {"x": np.float32(2)})["y"].tolist() == 3
    # Shape [1], although the signature declares [-1, 1].
    assert kinds.run("pair", {"b": np.float64([2]), "a": np.int64([3])}, ["sum"])["sum"].tolist() == [5]
    assert kinds.run("scalar", {"x": np.float32([1, 2])})["y"].tolist() == [1, 2]


def test_scalars_of_all_kinds_are_arrays(kinds: Servable) -> None:
    outputs = kinds.run("pair", {"b": np.float64([[2]]), "a": np.int64([3])})
    assert (outputs["rank"].dtype, outputs["rank"].shape, outputs["rank"]) == (np.int32, (), 2)
    assert (outputs["text"].dtype, outputs["text"].shape, outputs["text"].tolist()) == (np.object_, (), b"a\0")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.array([b"a"], object), "Expects arg[0] to be float but string is provided"),
        (np.float64([1]), "Expects arg[0] to be float but double is provided"),
        (np.float16([1]), "Expects arg[0] to be float but half is provided"),
        (np.int64([1]), "Expects arg[0] to be float but int64 is provided"),
        (np.array([True]), "Expects arg[0] to be float but bool is provided"),
    ],
)
def test_a_wrong_dtype_is_refused_with_the_runtimes_message(
    servable: Servable, wrong: np.ndarray, message: str
) -> None:
    with pytest.raises(ServingError) as failure:
        servable.run("serving_default", {"x": wrong})
    assert (failure.value.code, failure.value.message) == (grpc.StatusCode.INVALID_ARGUMENT, message)


def test_arguments_are_numbered_in_the_order_of_their_tensors(kinds: Servable) -> None:
    with pytest.raises(ServingError, match=r"Expects arg\[1\] to be double but float is provided"):
        kinds.run("pair", {"a": np.int64([1]), "b": np.float32([[1]])})


def test_a_failing_op_keeps_its_code_and_message(servable: Servable) -> None:
    with pytest.raises(ServingError) as failure:
        servable.run("regress", {"inputs": np.array([b"no example"], object)})
    assert failure.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert failure.value.message.startswith("Could not parse example input, value: 'no example'")
    assert "Detected at node" not in failure.value.message


def test_a_run_ends_at_its_timeout(tmp_path: Path) -> None:
    write_slow(tmp_path, 2500)
    servable = Servable.load("slow", 1, str(tmp_path))
    x = np.float32([1])
    start = time.monotonic()
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED: Timed out waiting for notification"):
        servable.run("serving_default", {"x": x}, timeout=0.02)
    assert time.monotonic() - start < 0.25  # the model takes 2.5 s
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        servable.run("serving_default", {"x": x}, timeout=0)
    assert servable.run("serving_default", {"x": x}, timeout=60)["y"].tolist() == [1]
    servable.close()


def test_closing_waits_for_running_calls_and_refuses_later_ones(slow: Path) -> None:
    servable = Servable.load("slow", 3, str(slow))
    x = np.float32([1])
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(servable.run, "serving_default", {"x": x})
        while not servable._running:
            time.sleep(0.001)
        servable.close()
        assert running.done()
        assert running.result()["y"].tolist() == [1]
    with pytest.raises(ServingError, match="UNAVAILABLE: Version 3 of model slow was unloaded"):
        servable.run("serving_default", {"x": x})
    servable.close()


def test_threads_can_share_a_servable(servable: Servable) -> None:
    start = threading.Barrier(8)

    def ask(number: int) -> None:
        start.wait()
        for x in range(30):
            outputs = servable.run("serving_default", {"x": np.float32([number, x])}, timeout=60 if x % 2 else None)
            assert outputs["y"].tolist() == [number / 2 + 2, x / 2 + 2]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(8)))


def test_versions_side_by_side_keep_their_variables(servable: Servable, half_plus_three: Path) -> None:
    other = Servable.load("half_plus_two", 8, str(half_plus_three))
    x = {"x": np.float32([4])}
    assert [one.run("serving_default", x)["y"].tolist() for one in (servable, other, servable)] == [[4], [5], [4]]
    other.close()
    assert servable.run("serving_default", x)["y"].tolist() == [4]


def test_a_loaded_model_does_not_need_its_files(half_plus_two: Path, tmp_path: Path) -> None:
    path = shutil.copytree(half_plus_two, tmp_path / "copy")
    servable = Servable.load("half", 1, str(path))
    shutil.rmtree(path)
    assert servable.run("serving_default", {"x": np.float32([4])})["y"].tolist() == [4]
    servable.close()


@pytest.mark.parametrize(
    ("signature", "outputs", "free"),
    [
        ("total", ["y"], True),
        ("total", ["total"], False),
        ("total", None, False),
        ("pair", ["sum"], False),  # tf.squeeze may remove all dimensions
        ("scalar", None, False),
        ("any_rank", None, False),
        ("nothing", None, False),
        ("unknown", None, False),
    ],
)
def test_calls_can_be_merged_only_if_all_first_dimensions_are_free(
    kinds: Servable, signature: str, outputs: list[str] | None, *, free: bool
) -> None:
    assert kinds.takes_any_rows(signature, outputs) is free


@pytest.mark.parametrize("signature", CALLS)
def test_calls_of_batch_signatures_can_be_merged(servable: Servable, signature: str) -> None:
    assert servable.takes_any_rows(signature)


def test_a_signature_without_inputs_runs(kinds: Servable) -> None:
    assert kinds.run("nothing", {})["y"].tolist() == 1

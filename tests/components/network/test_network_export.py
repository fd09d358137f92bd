from __future__ import annotations

import functools
import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from exported_models import (
    ARGUMENTS,
    ATTENTION,
    PRESETS,
    Exported,
    Run,
    a_model,
    check_all_signatures,
    in_cpp,
    in_graph_mode,
    in_python,
    in_server,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2
from token_oracle import REVIEWS
from transformed_reviews import Transformed

from components.network.export import export_model, signature_inputs, write_warmup_requests
from imdb_core.errors import RunError
from imdb_core.file_names import READING_FILE, WARMUP_FILE
from imdb_core.modes import Mode
from imdb_core.settings import ServingSettings

pytestmark = pytest.mark.slow

SERVING = ServingSettings(model_name="tiny", warmup_requests=6)
CASES = [
    ("attention", "scalar"),
    ("attention", "vector"),
    ("blog", "scalar"),
    ("blog", "vector"),
    ("dropout", "vector"),
]
SOME_REVIEWS = [
    b"",
    "Ünlü word1, word2<br />word3 DON'T ΟΣ 🎬".encode(),
    b"never seen words",
    b"word4 " * 12,
    b" ".join(f"word{place}".encode() for place in range(50)) * 20,
    b"caf\xe9 \0 word5",
]


@pytest.fixture(scope="module")
def export(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Mode], Exported]:
    @functools.cache
    def exported(preset: str, mode: Mode) -> Exported:
        model, path = a_model(preset, mode, transformed), str(tmp_path_factory.mktemp("export") / "1")
        export_model(model, transformed.output, path, SERVING, transformed.settings, trained_on="sample")
        return Exported(model, PRESETS[preset], path, transformed)

    return exported


@pytest.fixture(params=CASES, ids="-".join)
def exported(request: pytest.FixtureRequest, export: Callable[[str, Mode], Exported]) -> Exported:
    return export(*request.param)


@pytest.fixture(params=[in_python, in_graph_mode, in_cpp], ids=lambda loader: loader.__name__)
def run(request: pytest.FixtureRequest, exported: Exported) -> Iterator[Run]:
    with request.param(exported.path) as loaded:
        yield loaded


def test_every_loader_agrees_with_the_trained_model_on_batches_of_all_sizes(run: Run, exported: Exported) -> None:
    token_ids = exported.token_ids(SOME_REVIEWS)
    probabilities = np.asarray(exported.model(token_ids, training=False))
    assert np.ptp(probabilities[:, 1]) > 0.01  # else anything would agree
    np.testing.assert_allclose(exported.answers(token_ids)[0], probabilities, atol=1e-6)
    check_all_signatures(run, exported, SOME_REVIEWS)
    for review in SOME_REVIEWS[:2]:
        check_all_signatures(run, exported, [review])

    outputs = {name: run(name, {argument: []}) for name, argument in ARGUMENTS.items()}
    assert {name: {key: value.shape for key, value in row.items()} for name, row in outputs.items()} == {
        "serving_default": {"probabilities": (0, 2)},
        "serve_text": {
            "probabilities": (0, 2),
            "label": (0,),
            "known_words": (0,),
            "unknown_words": (0,),
            "trained_on": (0,),
        },
        "explain": {
            "probabilities": (0, 2),
            "tokens": (0, 12),
            "attention": (0, 12),
            "known": (0, 12),
            "trained_on": (0,),
        },
        "classify": {"classes": (0, 2), "scores": (0, 2)},
    }


def gru_steps(session: tf.compat.v1.Session, definition: Any, inputs: dict[str, list[bytes]]) -> int:
    """Runs a signature and returns for how many steps its recurrent layer ran."""
    metadata = tf.compat.v1.RunMetadata()
    session.run(
        [info.name for info in definition.outputs.values()],
        {definition.inputs[name].name: values for name, values in inputs.items()},
        tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.SOFTWARE_TRACE),
        metadata,
    )
    nodes = [node.node_name for device in metadata.step_stats.dev_stats for node in device.node_stats]
    activations = Counter(name for name in nodes if "gru" in name and name.rpartition("/")[2].startswith("Tanh"))
    (steps,) = activations.values()
    return steps


@pytest.mark.parametrize(("preset", "steps"), [("attention", [1, 4, 7, 12]), ("blog", [12, 12, 12, 12])])
def test_a_batch_takes_as_many_steps_as_its_longest_review(
    export: Callable[[str, Mode], Exported], preset: str, steps: list[int]
) -> None:
    batches = [[b""], [b"word1 word2 word3"], [b"word1", b"", b" ".join([b"word2"] * 6)], [b"word1 " * 40, b"word2"]]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], export(preset, "scalar").path)
        for name in ARGUMENTS:
            definition = loaded.signature_def[name]
            found = [gru_steps(session, definition, signature_inputs(name, texts)) for texts in batches]
            assert found == steps, name


def test_signatures_are_the_documented_ones(exported: Exported) -> None:
    n = -1
    signatures = dict(saved_model(exported.path).meta_graphs[0].signature_def)
    assert set(signatures) == {*ARGUMENTS, "__saved_model_init_op"}
    described = {
        name: [
            {
                key: (tf.dtypes.as_dtype(info.dtype), tuple(dim.size for dim in info.tensor_shape.dim))
                for key, info in infos.items()
            }
            for infos in (signatures[name].inputs, signatures[name].outputs)
        ]
        for name in ARGUMENTS
    }
    probabilities = {"probabilities": (tf.float32, (n, 2))}
    assert described == {
        "serving_default": [{"examples": (tf.string, (n,))}, probabilities],
        "serve_text": [
            {"text": (tf.string, (n,))},
            {
                **probabilities,
                "label": (tf.string, (n,)),
                "known_words": (tf.int64, (n,)),
                "unknown_words": (tf.int64, (n,)),
                "trained_on": (tf.string, (n,)),
            },
        ],
        "explain": [
            {"text": (tf.string, (n,))},
            {
                **probabilities,
                "tokens": (tf.string, (n, 12)),
                "attention": (tf.float32, (n, 12)),
                "known": (tf.bool, (n, 12)),
                "trained_on": (tf.string, (n,)),
            },
        ],
        "classify": [{"inputs": (tf.string, (n,))}, {"classes": (tf.string, (n, 2)), "scores": (tf.float32, (n, 2))}],
    }


def saved_model(path: str) -> saved_model_pb2.SavedModel:
    return saved_model_pb2.SavedModel.FromString((Path(path) / "saved_model.pb").read_bytes())


@pytest.fixture(scope="module")
def one_export(export: Callable[[str, Mode], Exported]) -> Exported:
    return export("attention", "vector")


@pytest.fixture(scope="module")
def run_one_in_cpp(one_export: Exported) -> Iterator[Run]:
    with in_cpp(one_export.path) as loaded:
        yield loaded


@settings(max_examples=50)
@given(reviews=st.lists(REVIEWS, min_size=1, max_size=4))
def test_all_paths_agree_on_any_text(one_export: Exported, run_one_in_cpp: Run, reviews: list[bytes]) -> None:
    check_all_signatures(run_one_in_cpp, one_export, reviews)


@pytest.fixture(scope="module")
def run_one_in_server(one_export: Exported) -> Iterator[Run]:
    with in_server(one_export.path) as served:
        yield served


@settings(max_examples=50)
@given(reviews=st.lists(REVIEWS, min_size=1, max_size=4))
def test_grpc_agrees_on_any_text(one_export: Exported, run_one_in_server: Run, reviews: list[bytes]) -> None:
    check_all_signatures(run_one_in_server, one_export, reviews)


def test_grpc_and_transform_give_the_same_token_ids(
    one_export: Exported, run_one_in_server: Run, transformed: Transformed
) -> None:
    """What Transform wrote for training, sent through the network, is what clients are told of the same reviews."""
    token_ids = np.array([row["token_ids"] for row in transformed.rows])
    np.testing.assert_array_equal(one_export.token_ids(transformed.reviews), token_ids)
    check_all_signatures(run_one_in_server, one_export, transformed.reviews)


def test_an_example_without_text_is_refused(run_one_in_cpp: Run) -> None:
    for signature in ("serving_default", "classify"):
        with pytest.raises(RunError, match=r"Feature: text .*is required but could not be found"):
            run_one_in_cpp(signature, {ARGUMENTS[signature]: [tf.train.Example().SerializeToString()]})


def test_the_error_for_a_plain_text_names_the_signature_for_texts(run_one_in_cpp: Run, run_one_in_server: Run) -> None:
    for run in (run_one_in_cpp, run_one_in_server):
        for signature in ("serving_default", "classify"):
            with pytest.raises(
                (RunError, grpc.RpcError),
                match=r"serialized tf.Examples, no plain text; for texts set signature_name to serve_text",
            ):
                run(signature, {ARGUMENTS[signature]: [b"A film I will not forget."]})


def test_the_file_beside_the_model_says_how_it_reads_reviews(one_export: Exported) -> None:
    written = json.loads((Path(one_export.path) / READING_FILE).read_text())
    settings = one_export.transformed.settings
    assert written == {"trained_on": "sample", "normalize": settings.normalize, "max_tokens": 12}


def warmup_logs(path: str) -> list[Any]:
    records = tf.data.TFRecordDataset(path).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def test_warmup_requests_can_be_replayed(one_export: Exported, run_one_in_cpp: Run) -> None:
    logs = warmup_logs(f"{one_export.path}/{WARMUP_FILE}")
    assert len(logs) == SERVING.warmup_requests
    assert {log.WhichOneof("log_type") for log in logs} == {"predict_log"}
    requests = [log.predict_log.request for log in logs]
    assert {request.model_spec.name for request in requests} == {"tiny"}
    assert {request.model_spec.signature_name for request in requests} == set(ARGUMENTS)
    for request in requests:
        inputs = {name: tf.make_ndarray(proto).tolist() for name, proto in request.inputs.items()}
        outputs = run_one_in_cpp(request.model_spec.signature_name, inputs)
        probabilities = outputs.get("probabilities", outputs.get("scores"))
        np.testing.assert_allclose(probabilities.sum(axis=1), [1.0], rtol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_as_many_warmup_requests_as_asked_for(count: int, tmp_path: Path) -> None:
    path = tmp_path / WARMUP_FILE
    write_warmup_requests(str(path), ServingSettings(warmup_requests=count))
    assert path.exists() == bool(count)
    assert (len(warmup_logs(str(path))) if count else 0) == count


def test_a_naive_export_is_caught(transformed: Transformed, tmp_path: Path) -> None:
    model, path = a_model("attention", "scalar", transformed), str(tmp_path / "1")
    serve = tf.function(
        lambda token_ids: {"probabilities": model(token_ids)}, input_signature=[tf.TensorSpec([None, 12], tf.int64)]
    )
    tf.saved_model.save(model, path, signatures=serve)
    token_ids = np.ones((1, 12), np.int64)
    in_python_it_works = tf.saved_model.load(path).signatures["serving_default"](token_ids=tf.constant(token_ids))
    np.testing.assert_allclose(in_python_it_works["probabilities"], model(token_ids), atol=1e-5)

    with in_graph_mode(path) as run, pytest.raises(tf.errors.FailedPreconditionError, match="Could not find variable"):
        run("serving_default", {"token_ids": token_ids})
    with in_cpp(path) as run, pytest.raises(RunError, match="Could not find variable"):
        run("serving_default", {"token_ids": token_ids})


def test_a_model_trained_on_a_gpu_is_served_without_one(
    transformed: Transformed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where Keras sees a GPU, and none of its own settings says otherwise, it writes cuDNN's op into the graph.
    keras_rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(keras_rnn, "_is_gpu_available", lambda: True)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [f"a {kind}"])
    model, path = a_model("attention", "scalar", transformed), str(tmp_path / "1")
    traced = tf.function(model).get_concrete_function(tf.TensorSpec([None, 12], tf.int64)).graph.as_graph_def()
    assert any("Cudnn" in node.op for node in traced.node)

    export_model(
        model, transformed.output, path, ServingSettings(warmup_requests=0), transformed.settings, trained_on="sample"
    )
    graph = saved_model(path).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert [node.op for node in nodes if "Cudnn" in node.op] == []
    with in_cpp(path) as run:
        check_all_signatures(run, Exported(model, ATTENTION, path, transformed), SOME_REVIEWS)

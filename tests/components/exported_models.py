"""Exported models, four ways to run them, and a comparison of their signatures with the trained model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc
from token_oracle import token_ids_of, tokens_of
from transformed_reviews import Transformed

from components.network.export import serialized_example
from components.network.model import build_model, explaining_model
from imdb_core.modes import Mode
from imdb_core.settings import ModelSettings
from serving.launch import launched_server
from serving.runtime.cpp_loader import CppSavedModel

Outputs = Mapping[str, np.ndarray]
Run = Callable[[str, Mapping[str, list[bytes]]], Outputs]

ATTENTION = ModelSettings(
    embedding_dim=6, gru_units=5, dense_units=4, word_dropout=0.0, embedding_dropout=0.0, dropout=0.0
)
PRESETS = {
    "attention": ATTENTION,
    "blog": ATTENTION.model_copy(update={"softmax": "last", "pooling": "flatten", "mask": False}),
    # The seed generators of dropout are variables too, which an export must include.
    "dropout": ATTENTION.model_copy(update={"word_dropout": 0.5, "embedding_dropout": 0.5, "dropout": 0.5}),
}
ARGUMENTS = {"serving_default": "examples", "serve_text": "text", "explain": "text", "classify": "inputs"}


@dataclass
class Exported:
    model: keras.Model
    settings: ModelSettings
    path: str
    transformed: Transformed

    @functools.cached_property
    def answers(self) -> Callable[[np.ndarray], list[tf.Tensor]]:
        """Maps token ids to probabilities and attention."""
        return tf.function(explaining_model(self.model), reduce_retracing=True, autograph=False)

    def token_ids(self, reviews: list[bytes]) -> np.ndarray:
        vocabulary, max_tokens = self.transformed.vocabulary, self.transformed.settings.max_tokens
        rows = [token_ids_of(review, vocabulary, max_tokens) for review in reviews]
        return np.reshape(np.asarray(rows, np.int64), (len(reviews), max_tokens))


def a_model(preset: str, mode: Mode, transformed: Transformed) -> keras.Model:
    """A network with weights so large that it tells all reviews apart."""
    model = build_model(PRESETS[preset], transformed.settings, mode)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


@contextmanager
def in_python(path: str) -> Iterator[Run]:
    signatures = tf.saved_model.load(path).signatures

    def run(signature: str, inputs: Mapping[str, list[bytes]]) -> Outputs:
        tensors = {name: tf.constant(value, tf.string, [len(value)]) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in signatures[signature](**tensors).items()}

    yield run


@contextmanager
def in_graph_mode(path: str) -> Iterator[Run]:
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        signatures = tf.compat.v1.saved_model.loader.load(session, ["serve"], path).signature_def

    def run(signature: str, inputs: Mapping[str, list[bytes]]) -> Outputs:
        definition = signatures[signature]
        # An array of bytes, unlike one of objects, drops NULs at the end.
        feeds = {
            definition.inputs[name].name: np.asarray(value, object if isinstance(value, list) else None)
            for name, value in inputs.items()
        }
        return session.run({name: info.name for name, info in definition.outputs.items()}, feeds)

    yield run
    session.close()


@contextmanager
def in_cpp(path: str) -> Iterator[Run]:
    with CppSavedModel(path) as model:
        yield model.run


@contextmanager
def in_server(path: str) -> Iterator[Run]:
    """Runs a model in the server, over gRPC; the folder's name must be a version."""
    flags = ("--model_name=any", f"--model_base_path={Path(path).parent}", "--enable_model_warmup=false")
    with launched_server(*flags) as server, grpc.insecure_channel(server.target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def run(signature: str, inputs: Mapping[str, list[bytes]]) -> Outputs:
            tensors = {name: tf.make_tensor_proto(value, tf.string, [len(value)]) for name, value in inputs.items()}
            spec = model_pb2.ModelSpec(name="any", signature_name=signature)
            response = stub.Predict(predict_pb2.PredictRequest(model_spec=spec, inputs=tensors), timeout=60)
            return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

        yield run


def examples(reviews: list[bytes]) -> list[bytes]:
    return [serialized_example(review) for review in reviews]


def check_all_signatures(run: Run, exported: Exported, reviews: list[bytes]) -> None:
    """Every signature agrees with the trained model, which gets the oracle's token ids."""
    token_ids = exported.token_ids(reviews)
    probabilities, attention = (np.asarray(value) for value in exported.answers(token_ids))
    close = functools.partial(np.testing.assert_allclose, atol=1e-5, rtol=0)  # NaN is close to NaN alone
    assert np.all(np.isfinite(probabilities))

    by_example = run("serving_default", {"examples": examples(reviews)})
    assert set(by_example) == {"probabilities"}
    close(by_example["probabilities"], probabilities)

    by_text = run("serve_text", {"text": reviews})
    assert set(by_text) == {"probabilities", "label", "known_words", "unknown_words", "trained_on"}
    close(by_text["probabilities"], probabilities)
    assert by_text["label"].tolist() == [[b"negative", b"positive"][row.argmax()] for row in probabilities]
    assert by_text["known_words"].tolist() == (token_ids >= 4).sum(axis=1).tolist()
    assert by_text["unknown_words"].tolist() == (token_ids == 2).sum(axis=1).tolist()
    assert by_text["trained_on"].tolist() == [b"sample"] * len(reviews)

    explained = run("explain", {"text": reviews})
    assert set(explained) == {"probabilities", "tokens", "attention", "known", "trained_on"}
    np.testing.assert_array_equal(explained["known"], (token_ids == 1) | (token_ids >= 4))
    assert explained["trained_on"].tolist() == [b"sample"] * len(reviews)
    close(explained["probabilities"], probabilities)
    close(explained["attention"], attention)
    max_tokens = exported.transformed.settings.max_tokens
    assert explained["tokens"].tolist() == [tokens_of(review, max_tokens) for review in reviews]
    # There is a token exactly where there is a token id.
    np.testing.assert_array_equal(explained["tokens"] != b"", token_ids != 0)
    if exported.settings.softmax == "time":
        close(explained["attention"].sum(axis=1), np.ones(len(reviews)))
        assert np.all(explained["attention"][token_ids == 0] == 0.0)

    classified = run("classify", {"inputs": examples(reviews)})
    assert set(classified) == {"classes", "scores"}
    close(classified["scores"], probabilities)
    assert classified["classes"].tolist() == [[b"negative", b"positive"]] * len(reviews)

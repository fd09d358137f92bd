from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf
from exported_models import a_model
from tfx.types import standard_artifacts
from tiny_evaluator import write_examples
from transformed_reviews import Transformed

from components.artifacts import REASON
from components.network.export import export_model
from components.pusher.executor import AtomicPusherExecutor
from components.serving_check.component import ServingCheck
from imdb_core.file_names import OUTCOME_FILE, TRAINED_MODEL
from imdb_core.settings import ServingSettings

pytestmark = pytest.mark.slow

SERVING = ServingSettings(model_name="tiny", check_reviews=5)


@pytest.fixture(scope="module")
def examples(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    rows = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[review]))}
            )
        )
        for review in transformed.reviews
    ]
    return write_examples(tmp_path_factory.mktemp("examples"), {"test": [rows[:20], rows[20:]]})


@pytest.fixture(scope="module")
def good(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model artifact as ModeSelector writes it."""
    folder = tmp_path_factory.mktemp("good")
    model = a_model("attention", "vector", transformed)
    (folder / TRAINED_MODEL).parent.mkdir()
    model.save(folder / TRAINED_MODEL)
    export_model(
        model, transformed.output, str(folder / "Format-Serving"), SERVING, transformed.settings, trained_on="sample"
    )
    return folder


def check(
    folder: Path,
    model: Path,
    examples: standard_artifacts.Examples,
    transformed: Transformed,
    settings: ServingSettings = SERVING,
) -> tuple[standard_artifacts.InfraBlessing, dict]:
    """Runs the node's executor."""
    candidate, graph = standard_artifacts.Model(), standard_artifacts.TransformGraph()
    blessing = standard_artifacts.InfraBlessing()
    candidate.uri, graph.uri, blessing.uri = str(model), transformed.output.transform_savedmodel_dir, str(folder)
    graph.uri = str(Path(graph.uri).parent)
    ServingCheck.EXECUTOR_SPEC.executor_class().Do(
        {"model": [candidate], "examples": [examples], "transform_graph": [graph]},
        {"blessing": [blessing]},
        {"serving": settings.model_dump_json(), "code_digest": "any"},
    )
    return blessing, json.loads((folder / OUTCOME_FILE).read_text())


def may_be_pushed(blessing: standard_artifacts.InfraBlessing) -> bool:
    """Returns whether TFX's Pusher would push the model."""
    return AtomicPusherExecutor().CheckBlessing({"infra_blessing": [blessing]})


def test_a_good_model_passes(tmp_path, good, examples, transformed):
    blessing, outcome = check(tmp_path, good, examples, transformed)
    assert (outcome["passed"], outcome["problems"]) == (True, [])
    assert outcome["reviews"] == 6  # the empty one too
    signatures = ("serving_default", "serve_text", "explain", "classify")
    assert {f"{where}, {name}" for where in ("C++ loader", "server") for name in signatures} == set(
        outcome["greatest_difference"]
    )
    assert max(outcome["greatest_difference"].values()) <= 1e-5
    assert 0 < outcome["latency_ms"]["p50"] <= outcome["latency_ms"]["p95"]
    assert blessing.get_string_custom_property(REASON).startswith("6 reviews through every signature, all within ")
    assert may_be_pushed(blessing)


def test_a_naive_keras_3_export_does_not_pass(tmp_path, good, examples, transformed):
    model, layer = a_model("attention", "vector", transformed), transformed.output.transform_features_layer()

    class Naive(tf.Module):
        def __init__(self):
            super().__init__()
            self.model, self.layer = model, layer

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
        def serve_text(self, text):
            return {"probabilities": self.model(self.layer({"text": text[:, tf.newaxis]})["token_ids"])}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
        def serving_default(self, examples):
            parsed = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})
            return self.serve_text(parsed["text"])

    naive, artifact = Naive(), tmp_path / "model"
    signatures = {"serving_default": naive.serving_default, "serve_text": naive.serve_text}
    tf.saved_model.save(naive, str(artifact / "Format-Serving"), signatures=signatures)
    (artifact / TRAINED_MODEL).parent.mkdir()
    (artifact / TRAINED_MODEL).write_bytes((good / TRAINED_MODEL).read_bytes())
    assert tf.saved_model.load(str(artifact / "Format-Serving")).signatures  # Python sees nothing wrong

    blessing, outcome = check(tmp_path, artifact, examples, transformed)
    assert not outcome["passed"]
    in_cpp, in_server = outcome["problems"]
    assert "Could not find variable" in in_cpp
    assert "the server ended before it served" in in_server
    assert not may_be_pushed(blessing)
    assert "Could not find variable" in blessing.get_string_custom_property(REASON)


def test_a_model_other_than_the_trained_one_does_not_pass(tmp_path, good, examples, transformed):
    artifact = tmp_path / "model"
    model = a_model("attention", "vector", transformed)
    (artifact / TRAINED_MODEL).parent.mkdir(parents=True)
    model.layers[-1].bias.assign_add([0.01, 0.0])
    model.save(artifact / TRAINED_MODEL)
    (artifact / "Format-Serving").symlink_to(good / "Format-Serving")

    blessing, outcome = check(tmp_path, artifact, examples, transformed)
    assert not may_be_pushed(blessing)
    assert len(outcome["problems"]) == 8  # four signatures, in C++ and in the server
    assert "of signature 'serve_text' differs by 0.00" in outcome["problems"][1]
    assert "from the trained model (C++ loader); at most 1e-05 is allowed" in outcome["problems"][1]


def test_a_model_that_is_too_slow_does_not_pass(tmp_path, good, examples, transformed):
    settings = SERVING.model_copy(update={"max_latency_ms": 0.001})
    blessing, outcome = check(tmp_path, good, examples, transformed, settings)
    (problem,) = outcome["problems"]
    assert "95% of single reviews were answered within" in problem
    assert "serving.max_latency_ms allows 0.001" in problem
    assert not may_be_pushed(blessing)

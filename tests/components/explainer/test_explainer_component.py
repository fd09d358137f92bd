"""Runs the node on tiny models, and checks everything that the report reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from exported_models import a_model
from tfx.types import standard_artifacts
from tiny_evaluator import example, predict, write_examples
from transformed_reviews import Transformed

from components.explainer.component import Explainer, Explanations
from components.network.export import export_model
from imdb_core import features, file_names, modes
from imdb_core.errors import RunError
from imdb_core.file_names import EXPLANATIONS_FILE
from imdb_core.settings import ReportSettings, ServingSettings
from serving.runtime.cpp_loader import CppSavedModel

pytestmark = pytest.mark.slow

HOSTILE = b"</script><script>alert('&amp;')</script> word1 \x00 {{ 7 * 7 }}"
# At least as many examples as reviews, to show every review.
REPORT = ReportSettings(attention_reviews=50, faithfulness_reviews=20, examples=1000, seed=3)


def review(number: int, text: bytes) -> tf.train.Example:
    made = example(number % 2, "001-050", None if number % 3 == 0 else number % 10 + 1)
    made.features.feature[features.TEXT].bytes_list.value[:] = [text]
    made.features.feature[features.ID].bytes_list.value.append(b"test/%d" % number)
    return made


@pytest.fixture(scope="module")
def examples(transformed: Transformed, tmp_path_factory) -> standard_artifacts.Examples:
    rows = [review(number, text) for number, text in enumerate([*transformed.reviews, HOSTILE])]
    return write_examples(tmp_path_factory.mktemp("examples"), {"test": [rows[:20], [], rows[20:]]})


@pytest.fixture(scope="module", params=["attention", "blog"])
def explained(request, transformed, examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    models = {mode: save(folder / mode, request.param, mode, transformed) for mode in modes.MODES}
    predictions = predict(folder / "predictions", examples, models["vector"], models["scalar"])
    document = explain(folder / "explanations", examples, predictions, models, transformed, request.param)
    return request.param, document, models, predictions


def save(folder: Path, preset: str, mode: modes.Mode, transformed: Transformed) -> standard_artifacts.Model:
    network, artifact = a_model(preset, mode, transformed), standard_artifacts.Model()
    artifact.uri = str(folder)
    (folder / file_names.TRAINED_MODEL).parent.mkdir(parents=True)
    network.save(folder / file_names.TRAINED_MODEL)
    export_model(
        network,
        transformed.output,
        str(folder / "Format-Serving"),
        ServingSettings(),
        transformed.settings,
        trained_on="sample",
    )
    return artifact


def explain(folder: Path, examples, predictions, models, transformed: Transformed, preset: str) -> dict:  # noqa: PLR0917 - the node's inputs
    explanations, graph = Explanations(), standard_artifacts.TransformGraph()
    explanations.uri, graph.uri = str(folder), str(Path(transformed.output.transform_savedmodel_dir).parent)
    folder.mkdir()
    Explainer.EXECUTOR_SPEC.executor_class().Do(
        {
            "examples": [examples],
            "predictions": [predictions],
            "scalar": [models["scalar"]],
            "vector": [models["vector"]],
            "transform_graph": [graph],
        },
        {"explanations": [explanations]},
        {
            "report": REPORT.model_dump_json(),
            "code_digest": "any",
        },
    )
    return json.loads((folder / EXPLANATIONS_FILE).read_text())


def test_the_document_contains_the_numbers_of_reviews(explained, transformed):
    _, document, _, _ = explained
    assert set(document) == {"reviews", "test_reviews", "seed", "modes", "examples"}
    assert document["reviews"] == 50
    assert document["test_reviews"] == len(transformed.reviews) + 1
    assert document["seed"] == 3
    assert list(document["modes"]) == ["scalar", "vector"]


def test_each_mode_has_what_the_report_reads(explained, transformed):
    preset, document, _, _ = explained
    for mode in document["modes"].values():
        assert set(mode) == {"words", "min_reviews", "position", "entropy", "faithfulness"}
        assert mode["min_reviews"] == 3
        assert 0 < len(mode["words"]) <= 40
        lifts = [word["lift"] for word in mode["words"]]
        assert lifts == sorted(lifts, reverse=True) or preset == "blog"
        for word in mode["words"]:
            assert set(word) == {"word", "reviews", "occurrences", "mean_weight", "lift"}
            assert word["word"] in transformed.vocabulary
            assert word["occurrences"] >= word["reviews"] >= 3
        assert sum(mode["position"]["deciles"]) == pytest.approx(1.0)
        assert sum(mode["entropy"]["counts"]) == 50
        faithfulness = mode["faithfulness"]
        assert faithfulness["k"] == [1, 2, 5, 10, 20]
        assert 0 < faithfulness["reviews"] <= 20
        for order in ("attention", "random"):
            for measure in ("comprehensiveness", "sufficiency"):
                assert len(faithfulness[measure][order]) == 5
                for interval in faithfulness[measure][order]:
                    assert -1 <= interval["low"] <= interval["mean"] <= interval["high"] <= 1.5
            assert all(0 <= share <= 1 for share in faithfulness["flips"][order])


def test_the_blogs_weights_are_uniform(explained):
    preset, document, _, _ = explained
    for mode in document["modes"].values():
        uniform = all(word["lift"] == pytest.approx(1.0, abs=1e-5) for word in mode["words"])
        assert uniform == (preset == "blog")
        assert (mode["entropy"]["mean"] == pytest.approx(1.0)) == (preset == "blog")


def test_every_review_is_shown_as_its_model_serves_it(explained, transformed):
    preset, document, models, _ = explained
    texts = [*transformed.reviews, HOSTILE]
    shown = {int(one["id"].removeprefix("test/")): one for one in document["examples"]}
    assert sorted(shown) == list(range(len(texts)))
    served = {}
    for mode in modes.MODES:
        with CppSavedModel(f"{models[mode].uri}/Format-Serving") as model:
            served[mode] = model.run("explain", {"text": texts})
    for number, one in shown.items():
        assert one["text"] == texts[number].decode(errors="replace")
        assert one["label"] == ("negative", "positive")[number % 2]
        assert one["rating"] == (None if number % 3 == 0 else number % 10 + 1)
        assert one["length_bucket"] == "001-050"
        for mode, shown_mode in one["modes"].items():
            tokens = served[mode]["tokens"][number]
            assert shown_mode["tokens"] == [token.decode() for token in tokens if token]
            weights = served[mode]["attention"][number][tokens != b""]
            np.testing.assert_allclose(shown_mode["weights"], weights, atol=1e-6)
            probability = served[mode]["probabilities"][number, 1]
            assert shown_mode["probability"] == pytest.approx(probability, abs=1e-6)
            assert shown_mode["label"] == ("negative", "positive")[int(probability > 0.5)]
        right = [one["modes"][mode]["label"] == one["label"] for mode in ("scalar", "vector")]
        assert one["kind"] == {2: "right", 1: "disagreement", 0: "wrong"}[sum(right)]
        assert "dimensions" not in one["modes"]["scalar"]
        dimensions = one["modes"]["vector"]["dimensions"]
        assert len(dimensions) == 3
        for dimension in dimensions:
            assert len(dimension["weights"]) == len(one["modes"]["vector"]["tokens"])
            if preset == "attention":
                assert sum(dimension["weights"]) == pytest.approx(1.0, abs=1e-5)


def test_hostile_text_passes_through_unchanged(explained, transformed):
    _, document, _, _ = explained
    (hostile,) = (one for one in document["examples"] if one["id"] == f"test/{len(transformed.reviews)}")
    assert hostile["text"].encode() == HOSTILE


def test_a_repeated_run_gives_the_same_measurements(explained, examples, transformed, tmp_path):
    preset, document, models, predictions = explained
    again = explain(tmp_path / "again", examples, predictions, models, transformed, preset)
    for mode in modes.MODES:
        assert again["modes"][mode]["words"] == document["modes"][mode]["words"]
        assert again["modes"][mode]["faithfulness"] == document["modes"][mode]["faithfulness"]
    assert [one["id"] for one in again["examples"]] == [one["id"] for one in document["examples"]]


def test_predictions_of_other_reviews_are_refused(explained, transformed, tmp_path):
    preset, _, models, predictions = explained
    rows = [review(number + 1, text) for number, text in enumerate([*transformed.reviews, HOSTILE])]
    others = write_examples(tmp_path / "others", {"test": [rows[:20], [], rows[20:]]})
    with pytest.raises(RunError, match=r"predictions of b'test/0' where .* has b'test/1'"):
        explain(tmp_path / "explanations", others, predictions, models, transformed, preset)

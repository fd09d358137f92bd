import json
import shutil

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts
from tiny_evaluator import evaluate, example, save_oracle, write_examples

from components.evaluator.eval_config import modes_config
from components.evaluator.metrics import SINGLE_MODEL
from components.evaluator.results import overall_metrics
from components.mode_selector.component import ModeSelector, count_parameters
from imdb_core.file_names import SELECTION_FILE, TRAINED_MODEL
from imdb_core.modes import BASELINE, CANDIDATE, SELECTED_MODE
from imdb_core.settings import EvaluationSettings
from imdb_core.stats.paired import PairedOutcomes

pytestmark = pytest.mark.slow

# Of 40 reviews, mode vector is right about all and mode scalar is wrong about the last 10.
RIGHT, WRONG = 0.9, 0.2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("selection")


@pytest.fixture(scope="module")
def modes(folder):
    return {
        "scalar": save_oracle(folder / "scalar", "scalar", weights=3),
        "vector": save_oracle(folder / "vector", "vector", weights=5),
    }


@pytest.fixture(scope="module")
def evaluation(folder, modes):
    rows = []
    for number in range(40):
        label, right = number % 2, number < 30
        says = RIGHT if right else WRONG
        rows.append(
            example(label, "001-050", None, scalar=says if label else 1 - says, vector=RIGHT if label else 1 - RIGHT)
        )
    examples = write_examples(folder / "examples", {"test": [rows]})
    config = modes_config(EvaluationSettings())
    return evaluate(folder / "modes", config, examples, modes["vector"], modes["scalar"])[0]


@pytest.fixture
def select(tmp_path, evaluation, modes):
    """Runs the node's executor."""

    def run(confidence: float) -> standard_artifacts.Model:
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / "selected")
        ModeSelector.EXECUTOR_SPEC.executor_class().Do(
            {"evaluation_result": [evaluation], "scalar": [modes["scalar"]], "vector": [modes["vector"]]},
            {"model": [model]},
            {"confidence": confidence, "code_digest": "any"},
        )
        return model

    return run


def answers(model: standard_artifacts.Model, **probabilities: float) -> float:
    loaded = tf.saved_model.load(f"{model.uri}/Format-Serving")
    serialized = example(1, "001-050", None, **probabilities).SerializeToString()
    return float(loaded.signatures["serving_default"](tf.constant([serialized]))["probabilities"][0, 1])


def test_a_mode_that_is_better_is_chosen_though_it_is_larger(select, tmp_path):
    model = select(0.95)
    assert model.get_string_custom_property(SELECTED_MODE) == "vector"
    assert answers(model, vector=0.75) == 0.75
    assert (tmp_path / "selected" / TRAINED_MODEL).read_bytes() == b"vector"
    selection = json.loads((tmp_path / "selected" / SELECTION_FILE).read_text())
    assert (selection["winner"], selection["significant"]) == ("vector", True)
    assert selection["reason"] == model.get_string_custom_property("reason")
    assert selection["reason"].startswith("vector is better: accuracy of vector minus scalar: +25.00 points")


def test_the_selection_file_contains_the_evidence(select, tmp_path):
    select(0.95)
    selection = json.loads((tmp_path / "selected" / SELECTION_FILE).read_text())
    outcomes = PairedOutcomes(both_right=30, only_baseline_right=0, only_candidate_right=10, both_wrong=0)
    assert selection["parameters"] == {"scalar": 3, "vector": 5}
    assert selection["confidence"] == 0.95
    assert selection["accuracy_difference"] == selection["flip_rate"] == 0.25
    assert selection["interval"] == pytest.approx(outcomes.interval(0.95))
    assert selection["mcnemar_p"] == pytest.approx(2 / 2**10)
    assert selection["reviews_needed"] == outcomes.reviews_needed(0.95)
    assert selection["smallest_detectable_difference"] == outcomes.smallest_detectable_difference(0.95)
    assert set(selection["metrics"]) == {"scalar", "vector"}
    for mode, accuracy in (("scalar", 0.75), ("vector", 1.0)):
        assert tuple(selection["metrics"][mode]) == SINGLE_MODEL
        assert selection["metrics"][mode]["accuracy"] == accuracy
        assert selection["metrics"][mode]["example_count"] == 40


def test_without_enough_evidence_the_smaller_mode_is_chosen(select, tmp_path):
    # McNemar's p is 0.00195.
    model = select(0.999)
    assert model.get_string_custom_property(SELECTED_MODE) == "scalar"
    assert answers(model, scalar=0.25) == 0.25
    selection = json.loads((tmp_path / "selected" / SELECTION_FILE).read_text())
    assert (selection["winner"], selection["significant"]) == ("scalar", False)
    assert "the smaller model, scalar (3 against 5 parameters)" in selection["reason"]


def test_the_modes_keep_their_own_models(select, modes):
    select(0.95)
    assert answers(modes["scalar"], scalar=0.5) == 0.5
    assert answers(modes["vector"], vector=0.5) == 0.5
    assert not modes["vector"].has_custom_property(SELECTED_MODE)


def test_overall_metrics_exclude_slices(evaluation):
    assert overall_metrics(evaluation.uri, CANDIDATE)["example_count"] == 40
    assert overall_metrics(evaluation.uri, BASELINE)["accuracy"] == 0.75
    assert overall_metrics(evaluation.uri, BASELINE)["false_negatives"] == 5


def test_weights_are_counted_but_not_the_state_of_generators(tmp_path):
    module = tf.Module()
    module.kernel = tf.Variable(tf.zeros([3, 4]))
    module.scale = tf.Variable(1.0)
    module.generator_state = tf.Variable([1, 2, 3], dtype=tf.int64)
    tf.saved_model.save(module, str(tmp_path / "model"))
    assert count_parameters(str(tmp_path / "model")) == 13
    shutil.rmtree(tmp_path / "model" / "variables")
    with pytest.raises(Exception, match="variables"):
        count_parameters(str(tmp_path / "model"))

import json
from pathlib import Path

import pytest
from compiled_graph import compiled_nodes, parameter

from imdb_core.code_digest import code_digest
from pipeline.graph.pipeline import create_pipeline
from pipeline.running.schedule import upstream_of
from pipeline.settings import load_settings

pytestmark = pytest.mark.slow

ORDER = [
    "ImdbExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
    "Trainer.scalar",
    "Trainer.vector",
    "Predictions.scalar",
    "Predictions.modes",
    "Evaluator.modes",
    "ModeSelector",
    "LastBlessedChampion",
    "Predictions.champion",
    "Evaluator.champion",
    "ServingCheck",
    "Pusher",
    "Explainer",
]


def compiled(folder: Path, *assignments: str):
    config = load_settings(None, assignments).config
    return compiled_nodes(folder, lambda *workspace: create_pipeline(config, *workspace))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("graph"))


def test_every_node_comes_after_the_nodes_that_it_needs(nodes):
    assert sorted(nodes) == sorted(ORDER)
    position = {name: number for number, name in enumerate(nodes)}
    for name, node in nodes.items():
        assert all(position[upstream] < position[name] for upstream in node.upstream_nodes)


def test_training_waits_for_the_anomaly_gate_and_transform_does_not(nodes, tmp_path):
    assert "AnomalyGate" not in upstream_of("Transform", {name: node.upstream_nodes for name, node in nodes.items()})
    tuned = compiled(tmp_path, "training.tune=true")
    for node in (*(nodes[f"Trainer.{mode}"] for mode in ("scalar", "vector")), tuned["Tuner"]):
        assert {"AnomalyGate", "Transform"} <= set(node.upstream_nodes)


def test_the_evaluators_alone_see_the_test_split(nodes):
    for name in ("Evaluator.modes", "Evaluator.champion"):
        assert parameter(nodes[name], "example_splits") == '["test"]'
    assert "test" not in parameter(nodes["Transform"], "splits_config")
    for mode in ("scalar", "vector"):
        for arguments in ("train_args", "eval_args"):
            assert "test" not in parameter(nodes[f"Trainer.{mode}"], arguments)


def producer(node, name: str) -> str:
    (channel,) = node.inputs.inputs[name].channels
    return channel.producer_node_query.id


def test_vector_is_compared_with_scalar(nodes):
    for name, roles in (
        ("Predictions.modes", ("candidate", "baseline")),
        ("Evaluator.modes", ("model", "baseline_model")),
    ):
        assert [producer(nodes[name], role) for role in roles] == ["Trainer.vector", "Trainer.scalar"]


def test_the_winner_is_compared_with_the_last_champion(nodes):
    for name, roles in (
        ("Predictions.champion", ("candidate", "baseline")),
        ("Evaluator.champion", ("model", "baseline_model")),
    ):
        assert [producer(nodes[name], role) for role in roles] == ["ModeSelector", "LastBlessedChampion"]


def test_the_evaluators_read_predictions_and_run_no_model(nodes):
    for name in ("modes", "champion"):
        evaluator = nodes[f"Evaluator.{name}"]
        assert producer(evaluator, "examples") == f"Predictions.{name}"
        assert parameter(evaluator, "module_path") == "components.evaluator.extractors"
        assert "materialized_prediction" in parameter(evaluator, "eval_config")


def test_scalar_is_predicted_while_vector_trains(nodes):
    of_scalar = nodes["Predictions.scalar"]
    assert sorted(of_scalar.upstream_nodes) == ["ImdbExampleGen", "Trainer.scalar"]
    assert producer(of_scalar, "candidate") == "Trainer.scalar"
    assert producer(nodes["Predictions.modes"], "known_baseline") == "Predictions.scalar"


def test_the_winner_is_not_run_again_and_a_first_run_has_no_champion(nodes):
    predictions = nodes["Predictions.champion"]
    assert producer(predictions, "known") == "Predictions.modes"
    assert predictions.inputs.inputs["baseline"].min_count == 0


def test_a_change_of_code_is_a_change_of_the_predictions_and_the_explainer(nodes):
    for name in ("scalar", "modes", "champion"):
        assert parameter(nodes[f"Predictions.{name}"], "code_digest") == code_digest("components.predictions.component")
    assert parameter(nodes["Explainer"], "code_digest") == code_digest("components.explainer.component")


def test_no_node_waits_for_the_explainer_nor_the_serving_check_for_the_evaluator(nodes):
    assert not any("Explainer" in node.upstream_nodes for node in nodes.values())
    assert "Evaluator.champion" not in nodes["ServingCheck"].upstream_nodes
    assert {"Evaluator.champion", "ServingCheck"} <= set(nodes["Pusher"].upstream_nodes)


def test_the_pusher_gets_what_the_papers_are_written_from(nodes, tmp_path):
    pusher = nodes["Pusher"]
    assert producer(pusher, "examples") == "ImdbExampleGen"
    assert producer(pusher, "predictions") == "Predictions.modes"
    assert json.loads(parameter(pusher, "assignments")) == ["preset=attention"]
    # What changes no model does not belong to how it is reproduced.
    changed = (
        "preset=blog",
        "training.epochs=1",
        "run.jobs=1",
        "report.seed=7",
        "tuning.trials=3",
        'card.license="MIT"',
    )
    blog = compiled(tmp_path, *changed)["Pusher"]
    assert json.loads(parameter(blog, "assignments")) == ["preset=blog", "training.epochs=1"]
    assert json.loads(parameter(blog, "card_settings"))["license"] == "MIT"


def test_the_explainer_reads_the_models_that_were_compared(nodes, tmp_path):
    explainer = nodes["Explainer"]
    assert {name: producer(explainer, name) for name in explainer.inputs.inputs} == {
        "examples": "ImdbExampleGen",
        "predictions": "Predictions.modes",
        "scalar": "Trainer.scalar",
        "vector": "Trainer.vector",
        "transform_graph": "Transform",
    }
    blog = compiled(tmp_path, "preset=blog", "report.seed=7")["Explainer"]
    assert json.loads(parameter(blog, "report"))["seed"] == 7


def test_the_same_settings_make_the_same_graph(nodes, tmp_path):
    again = compiled(tmp_path)
    for name in ("Trainer.scalar", "Transform"):
        assert "code_digest" in parameter(nodes[name], "custom_config")
    assert parameter(again["Transform"], "custom_config") == parameter(nodes["Transform"], "custom_config")


def test_preset_blog_has_no_eval_split(tmp_path):
    nodes = compiled(tmp_path, "preset=blog")
    assert "eval" not in parameter(nodes["Transform"], "splits_config")
    assert '"train"' in parameter(nodes["Trainer.scalar"], "eval_args")


def test_tfx_s_infra_validator_takes_the_place_of_the_serving_check(tmp_path):
    node = compiled(tmp_path, "serving.check=infra_validator", "serving.check_reviews=7")["ServingCheck"]
    assert node.node_info.type.name == "tfx.components.infra_validator.component.InfraValidator"
    assert json.loads(parameter(node, "serving_spec"))["tensorflow_serving"] == {"tags": ["2.16.1"]}
    assert json.loads(parameter(node, "request_spec"))["num_examples"] == 7


def test_the_settings_of_the_check_and_the_report_retrain_nothing(tmp_path):
    slow = compiled(tmp_path, "serving.max_latency_ms=900.0", "serving.check_reviews=7", "report.seed=2")
    default = compiled(tmp_path)
    assert parameter(slow["Trainer.scalar"], "custom_config") == parameter(default["Trainer.scalar"], "custom_config")
    assert parameter(slow["ServingCheck"], "serving") != parameter(default["ServingCheck"], "serving")


def test_the_tuner_is_optional_and_both_trainers_take_its_result(tmp_path):
    nodes = compiled(tmp_path)
    tuned = compiled(tmp_path, "training.tune=true")
    assert sorted(tuned) == sorted([*ORDER, "Tuner"])
    assert list(tuned).index("Transform") < list(tuned).index("Tuner") < list(tuned).index("Trainer.scalar")
    assert producer(tuned["Tuner"], "examples") == "Transform"
    for mode in ("scalar", "vector"):
        assert producer(tuned[f"Trainer.{mode}"], "hyperparameters") == "Tuner"
        assert "hyperparameters" not in nodes[f"Trainer.{mode}"].inputs.inputs
        # Found values and given values are the same training.
        assert parameter(tuned[f"Trainer.{mode}"], "custom_config") == parameter(
            nodes[f"Trainer.{mode}"], "custom_config"
        )


def test_the_tuner_is_tfx_s_own_reads_no_test_split_and_depends_on_its_code(tmp_path):
    tuner = compiled(tmp_path, "training.tune=true", "tuning.trials=7")["Tuner"]
    assert tuner.node_info.type.name == "tfx.components.tuner.component.Tuner"
    assert parameter(tuner, "tuner_fn") == "components.tuner.tuner_fn.tuner_fn"
    assert json.loads(parameter(tuner, "train_args"))["splits"] == ["train"]
    assert json.loads(parameter(tuner, "eval_args"))["splits"] == ["eval"]
    custom_config = json.loads(parameter(tuner, "custom_config"))
    assert custom_config["tuning"]["trials"] == 7
    assert custom_config["code_digest"] == code_digest("components.tuner.tuner_fn")

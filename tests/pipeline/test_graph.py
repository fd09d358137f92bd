from pathlib import Path

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration import metadata

from pipeline.config import load_settings
from pipeline.graph import Places, create_pipeline

ORDER = [
    "ImdbExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
    "Trainer.scalar",
    "Trainer.vector",
    "Evaluator.modes",
    "ModeSelector",
    "LastBlessedChampion",
    "Evaluator.champion",
    "Pusher",
]


def compiled(folder: Path, *assignments: str):
    places = Places(*(folder / name for name in ("artifacts", "checkpoints", "cache", "versions", "schema.pbtxt")))
    connection = metadata.sqlite_metadata_connection_config(str(folder / "metadata.db"))
    pipeline = create_pipeline(load_settings(None, assignments).config, places, connection)
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in Compiler().compile(pipeline).nodes}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("graph"))


def parameter(node, name: str) -> str:
    return node.parameters.parameters[name].field_value.string_value


def test_it_has_these_nodes_and_each_comes_after_what_it_needs(nodes):
    assert sorted(nodes) == sorted(ORDER)
    position = {name: number for number, name in enumerate(nodes)}
    for name, node in nodes.items():
        assert all(position[upstream] < position[name] for upstream in node.upstream_nodes)


def test_nothing_is_trained_unless_the_gate_lets_it_pass(nodes):
    assert "AnomalyGate" in nodes["Transform"].upstream_nodes
    assert all("Transform" in nodes[f"Trainer.{mode}"].upstream_nodes for mode in ("scalar", "vector"))


def test_the_evaluators_alone_see_the_test_split(nodes):
    for name in ("Evaluator.modes", "Evaluator.champion"):
        assert parameter(nodes[name], "example_splits") == '["test"]'
    assert "test" not in parameter(nodes["Transform"], "splits_config")
    for mode in ("scalar", "vector"):
        for arguments in ("train_args", "eval_args"):
            assert "test" not in parameter(nodes[f"Trainer.{mode}"], arguments)


def test_vector_is_compared_with_scalar(nodes):
    inputs = nodes["Evaluator.modes"].inputs.inputs
    assert inputs["model"].channels[0].producer_node_query.id == "Trainer.vector"
    assert inputs["baseline_model"].channels[0].producer_node_query.id == "Trainer.scalar"


def test_the_same_settings_make_the_same_graph(nodes, tmp_path):
    again = compiled(tmp_path)
    for name in ("Trainer.scalar", "Transform"):
        assert "code_digest" in parameter(nodes[name], "custom_config")
    assert parameter(again["Transform"], "custom_config") == parameter(nodes["Transform"], "custom_config")


def test_preset_blog_holds_nothing_out(tmp_path):
    nodes = compiled(tmp_path, "preset=blog")
    assert "eval" not in parameter(nodes["Transform"], "splits_config")
    assert '"train"' in parameter(nodes["Trainer.scalar"], "eval_args")

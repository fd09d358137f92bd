import json
from pathlib import Path

from compiled_graph import compiled_nodes, parameter

from pipeline.graph.study import create_study
from pipeline.settings import load_settings

UPSTREAM = ["ImdbExampleGen", "StatisticsGen", "ImportSchemaGen", "ExampleValidator", "AnomalyGate", "Transform"]


def compiled(folder: Path, *seeds: int):
    return compiled_nodes(folder, lambda *workspace: create_study(load_settings().config, seeds, *workspace))


def test_one_transform_feeds_all_seeds_and_each_seed_compares_its_own_modes(tmp_path):
    nodes = compiled(tmp_path, 3, 4)
    names = ("Trainer.scalar", "Trainer.vector", "Predictions.scalar", "Predictions")
    of_seeds = [f"{name}.seed{seed}" for seed in (3, 4) for name in names]
    assert sorted(nodes) == sorted([*UPSTREAM, *of_seeds])
    for seed in (3, 4):
        for mode in ("scalar", "vector"):
            trainer = nodes[f"Trainer.{mode}.seed{seed}"]
            assert set(trainer.upstream_nodes) == {"AnomalyGate", "Transform"}
            config = json.loads(parameter(trainer, "custom_config"))
            assert (config["mode"], config["training"]["seed"]) == (mode, seed)
        predictions = nodes[f"Predictions.seed{seed}"].inputs.inputs
        made_by = {role: given.channels[0].producer_node_query.id for role, given in predictions.items()}
        assert made_by == {
            "examples": "ImdbExampleGen",
            "candidate": f"Trainer.vector.seed{seed}",
            "baseline": f"Trainer.scalar.seed{seed}",
            "known_baseline": f"Predictions.scalar.seed{seed}",
        }


def test_more_seeds_leave_the_nodes_of_the_others_as_they_were(tmp_path):
    few, many = compiled(tmp_path, 1, 2), compiled(tmp_path, 1, 2, 3)
    assert few.keys() < many.keys()
    for name in few:
        assert parameter(few[name], "custom_config") == parameter(many[name], "custom_config")

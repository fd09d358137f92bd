from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tfx.types import Channel, standard_artifacts

from components.trainer.component import trainer_node
from components.trainer.settings import Recipe, TrainerSettings
from imdb_core.code_digest import code_digest
from imdb_core.settings import ModelSettings, ServingSettings, TrainingSettings, TransformSettings

RECIPE = Recipe(
    transform=TransformSettings(max_tokens=50), model=ModelSettings(dropout=0.25), training=TrainingSettings(seed=7)
)
SERVING = ServingSettings(warmup_requests=2)


def node(*splits: str, recipe: Recipe = RECIPE, serving: ServingSettings = SERVING):
    return trainer_node(
        "vector",
        recipe,
        serving,
        examples=Channel(type=standard_artifacts.Examples),
        transform_graph=Channel(type=standard_artifacts.TransformGraph),
        splits=splits or ["train", "eval"],
        checkpoint_root="checkpoints",
        trained_on="sample",
    )


def test_run_fn_gets_the_settings_that_the_node_was_built_with() -> None:
    built = node()
    assert built.id == "Trainer.vector"
    assert built.exec_properties["run_fn"] == "components.trainer.run_fn.run_fn"
    assert TrainerSettings.model_validate(json.loads(built.exec_properties["custom_config"])) == TrainerSettings(
        **dict(RECIPE),
        mode="vector",
        serving=SERVING,
        code_digest=code_digest("components.trainer.run_fn"),
        checkpoint_root="checkpoints",
        trained_on="sample",
    )


def test_settings_that_do_not_change_the_model_do_not_change_the_node() -> None:
    tuned = RECIPE.model_copy(update={"training": RECIPE.training.model_copy(update={"tune": True})})
    other = node(recipe=tuned, serving=ServingSettings(warmup_requests=2, max_latency_ms=1.0))
    assert other.exec_properties == node().exec_properties
    assert node(serving=ServingSettings(warmup_requests=3)).exec_properties != node().exec_properties


@pytest.mark.parametrize(("splits", "stops_on"), [(("train", "eval"), "eval"), (("train",), "train")])
def test_early_stopping_uses_the_eval_split_if_there_is_one(splits: tuple[str, ...], stops_on: str) -> None:
    properties = node(*splits).exec_properties
    assert json.loads(properties["train_args"]) == {"splits": ["train"]}
    assert json.loads(properties["eval_args"]) == {"splits": [stops_on]}


def test_a_graph_is_built_without_the_training_code() -> None:
    code = """
import sys
import components.trainer.component, components.tuner.component
print(*(name for name in sys.modules if name.startswith(("components.trainer.", "components.tuner."))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert set(done.stdout.split()) == {
        f"components.{room}.{module}" for room in ("trainer", "tuner") for module in ("component", "settings")
    }

from __future__ import annotations

import json

from tfx.types import Channel, standard_artifacts

from components.trainer.settings import Recipe
from components.tuner.component import tuner_node
from components.tuner.settings import TunerSettings
from imdb_core.code_digest import code_digest
from imdb_core.settings import ModelSettings, TrainingSettings, TransformSettings, TuningSettings


def test_tuner_fn_gets_the_settings_that_the_node_was_built_with() -> None:
    recipe = Recipe(transform=TransformSettings(), model=ModelSettings(dropout=0.25), training=TrainingSettings(seed=7))
    tuning = TuningSettings(trials=3)
    node = tuner_node(
        recipe,
        tuning,
        examples=Channel(type=standard_artifacts.Examples),
        transform_graph=Channel(type=standard_artifacts.TransformGraph),
        checkpoint_root="checkpoints",
    )
    assert node.id == "Tuner"
    assert node.exec_properties["tuner_fn"] == "components.tuner.tuner_fn.tuner_fn"
    assert TunerSettings.model_validate(json.loads(node.exec_properties["custom_config"])) == TunerSettings(
        **dict(recipe),
        tuning=tuning,
        code_digest=code_digest("components.tuner.tuner_fn"),
        checkpoint_root="checkpoints",
    )

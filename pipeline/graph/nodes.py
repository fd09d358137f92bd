"""From reviews to trained modes and what they say of the test reviews: the part that all graphs here share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import tensorflow_data_validation as tfdv
from tfx.components import ExampleValidator, StatisticsGen, Trainer, Transform, Tuner
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import trainer_pb2

from components.anomaly_gate.component import AnomalyGate
from components.example_gen.component import ImdbExampleGen
from components.predictions.component import Predictions
from components.transform.component import transform_node
from imdb_core import features, modes
from imdb_core.code_digest import code_digest
from pipeline.settings.config import PipelineConfig
from pipeline.workspace.places import Places


class Data(NamedTuple):
    """The nodes up to Transform.

    Attributes:
        examples: the ImdbExampleGen.
        transform: waits for the gate.
        nodes: all of them, these two included.
    """

    examples: BaseNode
    transform: Transform
    nodes: list[BaseNode]


def prepare_data(config: PipelineConfig, places: Places) -> Data:
    """Reads, checks and transforms the reviews; an anomaly stops the run before Transform.

    Args:
        config: validated settings.
        places: absolute paths.
    """
    examples = ImdbExampleGen(
        data=config.data, code_digest=code_digest("components.example_gen.component"), cache_dir=str(places.cache)
    )
    statistics = StatisticsGen(
        examples=examples.outputs["examples"],
        # Half the time: exact counts of some 50,000 distinct texts would say no more.
        stats_options=tfdv.StatsOptions(use_sketch_based_topk_uniques=True),
    )
    schema = ImportSchemaGen(schema_file=str(places.schema))
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    gate = AnomalyGate(
        anomalies=validator.outputs["anomalies"], code_digest=code_digest("components.anomaly_gate.component")
    )

    transform = transform_node(
        examples.outputs["examples"],
        schema.outputs["schema"],
        config.transform,
        # The Evaluators send raw reviews through the models' own graph, so `test` needs no transformed copy.
        splits=_fitting_splits(config),
    )
    transform.add_upstream_node(gate)
    return Data(examples, transform, [examples, statistics, schema, validator, gate, transform])


def trainer(
    config: PipelineConfig, places: Places, transform: Transform, mode: modes.Mode, tuner: Tuner | None = None
) -> Trainer:
    """Trains one mode on what Transform wrote; its id is `Trainer.MODE`.

    Args:
        config: validated settings.
        places: absolute paths.
        transform: of `prepare_data`.
        mode: of the attention.
        tuner: whose best values replace the settings.
    """
    custom_config: Mapping[str, Any] = {
        "mode": mode,
        "model": config.model.model_dump(mode="json"),
        "training": fitting_settings(config),
        "transform": config.transform.model_dump(mode="json"),
        # Only what is written into the model, so that a check's settings retrain nothing.
        "serving": config.serving.model_dump(mode="json", include={"model_name", "warmup_requests"}),
        "code_digest": code_digest("components.trainer.run_fn"),
        "checkpoint_root": str(places.checkpoints),
    }
    return Trainer(
        run_fn="components.trainer.run_fn.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN]),
        # Without an eval split run_fn ignores what stands here; TFX insists on some split.
        eval_args=trainer_pb2.EvalArgs(splits=[_fitting_splits(config)[-1]]),
        custom_config=custom_config,
    ).with_id(f"Trainer.{mode}")


def predict_modes(examples: BaseNode, trainers: Mapping[modes.Mode, Trainer], node: str) -> BaseNode:
    """Asks both modes for the sentiment of the test reviews.

    Args:
        examples: of `prepare_data`.
        trainers: of each mode.
        node: id of the new one.
    """
    return Predictions(
        examples=examples.outputs["examples"],
        candidate=trainers[modes.VECTOR].outputs["model"],
        baseline=trainers[modes.SCALAR].outputs["model"],
        code_digest=code_digest("components.predictions.component"),
    ).with_id(node)


def _fitting_splits(config: PipelineConfig) -> list[str]:
    return [features.TRAIN, features.EVAL] if config.data.eval_fraction else [features.TRAIN]


TUNER: Final = "Tuner"


def search_settings(config: PipelineConfig, transform: Transform, checkpoints: Path) -> Tuner:
    """Adds TFX's Tuner: what it finds is its output `best_hyperparameters`.

    Args:
        config: validated settings.
        transform: whose examples it trains and scores on; never `test`.
        checkpoints: of an interrupted search.
    """
    return Tuner(
        tuner_fn="components.tuner.tuner_fn.tuner_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.EVAL]),
        custom_config={
            "model": config.model.model_dump(mode="json"),
            "training": fitting_settings(config),
            "transform": config.transform.model_dump(mode="json"),
            "tuning": config.tuning.model_dump(mode="json"),
            "code_digest": code_digest("components.tuner.tuner_fn"),
            "checkpoint_root": str(checkpoints),
        },
    ).with_id(TUNER)


def fitting_settings(config: PipelineConfig) -> dict[str, Any]:
    """Dumps the section `training` without the switch of the Tuner, so that found and given values count the same."""
    return config.training.model_dump(mode="json", exclude={"tune"})

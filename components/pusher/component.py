"""Pusher: publishes a model version atomically, so that a server never loads part of one."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, Channel, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.pusher.executor import (
    ASSIGNMENTS,
    CARD_SETTINGS,
    EXAMPLES,
    PREDICTIONS,
    AtomicPusherExecutor,
)
from imdb_core.settings import CardSettings


class AtomicPusherSpec(specs.PusherSpec):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher, with what the papers of a version are written from."""

    PARAMETERS: Final = {
        **specs.PusherSpec.PARAMETERS,
        CARD_SETTINGS: ExecutionParameter(type=str),
        ASSIGNMENTS: ExecutionParameter(type=str),
    }
    INPUTS: Final = {
        **specs.PusherSpec.INPUTS,
        EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        PREDICTIONS: ChannelParameter(type=standard_artifacts.Examples),
    }


class AtomicPusher(component.Pusher):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with `AtomicPusherExecutor`.

    Args:
        inputs: The channels of `AtomicPusherSpec`, by name.
        parameters: The execution parameters of `AtomicPusherSpec`, by name.
    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(AtomicPusherExecutor)

    def __init__(self, inputs: dict[str, BaseChannel], parameters: dict[str, object]):
        pushed = Channel(type=standard_artifacts.PushedModel)
        # TFX's own constructor knows only its own inputs.
        super(component.Pusher, self).__init__(AtomicPusherSpec(**inputs, **parameters, pushed_model=pushed))


def pusher_node(
    model: BaseChannel,
    model_blessing: BaseChannel,
    infra_blessing: BaseChannel,
    *,
    examples: BaseChannel,
    predictions: BaseChannel,
    versions: Path,
    card: CardSettings,
    assignments: Sequence[str],
) -> component.Pusher:
    """Builds node `Pusher`.

    Args:
        model: The winner.
        model_blessing: The verdict on its quality.
        infra_blessing: The verdict on whether it can be served.
        examples: The reviews, with the report of their ingest.
        predictions: The predictions of both modes.
        versions: The folder that holds the model's versions; its name is the name of the model.
        card: What people state in the model card.
        assignments: The settings to reproduce the model with, as `--set` takes them.
    """
    folder = pusher_pb2.PushDestination.Filesystem(base_directory=str(versions))
    return AtomicPusher(
        inputs={
            specs.MODEL_KEY: model,
            specs.MODEL_BLESSING_KEY: model_blessing,
            specs.INFRA_BLESSING_KEY: infra_blessing,
            EXAMPLES: examples,
            PREDICTIONS: predictions,
        },
        parameters={
            specs.PUSH_DESTINATION_KEY: pusher_pb2.PushDestination(filesystem=folder),
            CARD_SETTINGS: card.model_dump_json(),
            ASSIGNMENTS: json.dumps(list(assignments)),
        },
    ).with_id("Pusher")

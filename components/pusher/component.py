"""Pusher: publishes a model version atomically, so that a server never loads part of one."""

from pathlib import Path

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel

from components.pusher.executor import AtomicPusherExecutor


class AtomicPusher(component.Pusher):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with `AtomicPusherExecutor`; same inputs, outputs and arguments."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(AtomicPusherExecutor)


def pusher_node(
    model: BaseChannel, model_blessing: BaseChannel, infra_blessing: BaseChannel, versions: Path
) -> component.Pusher:
    """Builds node `Pusher`; `versions` is the folder that holds the model's versions."""
    folder = pusher_pb2.PushDestination.Filesystem(base_directory=str(versions))
    return AtomicPusher(
        model=model,
        model_blessing=model_blessing,
        infra_blessing=infra_blessing,
        push_destination=pusher_pb2.PushDestination(filesystem=folder),
    ).with_id("Pusher")

"""Pushes a version so that whoever watches the folder sees the whole of it or nothing."""

from tfx.components.pusher import component
from tfx.dsl.components.base import executor_spec

from components.pusher.executor import AtomicPusherExecutor


class AtomicPusher(component.Pusher):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with `AtomicPusherExecutor`; same inputs, outputs and arguments."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(AtomicPusherExecutor)

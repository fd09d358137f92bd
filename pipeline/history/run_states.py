"""What ML Metadata knows of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.types import Artifact, artifact_utils

COMPLETE: Final = "COMPLETE"
CACHED: Final = "CACHED"
SUCCEEDED: Final = (COMPLETE, CACHED)
NOT_RUN: Final = "NOT RUN"


@dataclass(frozen=True)
class NodeState:
    """How a node of a run ended.

    Attributes:
        node: its id.
        state: MLMD's name of the execution's last state, or `NOT RUN`.
        outputs: artifacts by output key.
    """

    node: str
    state: str
    outputs: dict[str, list[Artifact]]


def run_nodes(
    connection: metadata_store_pb2.ConnectionConfig, pipeline_name: str, run_id: str, nodes: Sequence[str]
) -> dict[str, NodeState]:
    """Reads how the nodes of a run ended.

    Args:
        connection: to ML Metadata.
        pipeline_name: prefixes the names of node contexts.
        run_id: of the run.
        nodes: ids of all nodes of the pipeline.

    Returns:
        A state for each of `nodes`, in their order.
    """
    store = metadata_store.MetadataStore(connection)
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    executions = store.get_executions_by_context(context.id) if context else []
    found: dict[str, NodeState] = {}
    for execution in sorted(executions, key=lambda execution: execution.id):
        contexts = store.get_contexts_by_execution(execution.id)
        name = next(context.name for context in contexts if context.type == "node")
        node = name.removeprefix(f"{pipeline_name}.")
        state = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
        found[node] = NodeState(node, state, _outputs(store, execution.id))
    return {node: found.get(node, NodeState(node, NOT_RUN, {})) for node in nodes}


def _outputs(store: metadata_store.MetadataStore, execution_id: int) -> dict[str, list[Artifact]]:
    events = [
        event
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type in (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INTERNAL_OUTPUT)
    ]
    artifacts = {item.id: item for item in store.get_artifacts_by_id([event.artifact_id for event in events])}
    types = {item.id: item for item in store.get_artifact_types()}
    outputs: dict[str, list[Artifact]] = {}
    for event in events:
        artifact = artifacts[event.artifact_id]
        key = event.path.steps[0].key
        outputs.setdefault(key, []).append(artifact_utils.deserialize_artifact(types[artifact.type_id], artifact))
    return outputs

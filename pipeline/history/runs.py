"""Reads runs from ML Metadata and their folders. It does not import TFX, so that commands answer at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ml_metadata.proto import metadata_store_pb2 as mlmd

from imdb_core.errors import RunError
from imdb_core.file_names import SELECTION_FILE
from pipeline.workspace.run_names import FAILURE_FILE, PIPELINE_NAME, RUN_FILE
from pipeline.workspace.store import WorkspaceStore

# States of nodes: ML Metadata's names, and ours for a node without an execution.
COMPLETE: Final = "COMPLETE"
CACHED: Final = "CACHED"
SUCCEEDED: Final = (COMPLETE, CACHED)
NOT_RUN: Final = "NOT RUN"

# Outcomes of runs.
PUSHED: Final = "pushed"
NOT_PUSHED: Final = "not pushed"
FAILED: Final = "failed"
# The run is still going on or was killed; ML Metadata cannot distinguish the two.
UNFINISHED: Final = "unfinished"

_OUTPUTS: Final = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)
_SHOWN_RUNS: Final = 5


@dataclass(frozen=True)
class PastArtifact:
    """An artifact in ML Metadata."""

    id: int
    type: str  # such as `Model`
    uri: str  # the folder that holds its content, now
    properties: Mapping[str, Any] = field(default_factory=dict)  # TFX's and the component's own

    def split_folder(self, split: str) -> Path:
        """Returns the folder of a split."""
        return Path(self.uri, f"Split-{split}")


@dataclass(frozen=True)
class PastNode:
    """One execution of a node. A cached execution has the outputs of the execution that it reuses."""

    node: str  # id of the node in the pipeline
    state: str  # ML Metadata's name of the last state, or `NOT RUN`
    started: float = 0.0  # Unix time in seconds
    ended: float = 0.0  # Unix time in seconds of the last update
    properties: Mapping[str, Any] = field(default_factory=dict)  # among them the parameters of the component
    inputs: Mapping[str, Sequence[PastArtifact]] = field(default_factory=dict)  # by input key
    outputs: Mapping[str, Sequence[PastArtifact]] = field(default_factory=dict)  # by output key

    @property
    def config(self) -> Mapping[str, Any]:
        """The custom config that the pipeline passed to one of TFX's own components; empty for other nodes."""
        return json.loads(self.properties.get("custom_config", "null")) or {}


@dataclass(frozen=True)
class PastRun:
    """A run of the pipeline as ML Metadata and the run's folder record it."""

    run_id: str  # ML Metadata's id
    nodes: Mapping[str, PastNode]  # the executed and cached ones, in order of execution
    record: Mapping[str, Any] | None = None  # content of `run.json`; None if the run did not succeed
    failure: Mapping[str, Any] | None = None  # of `failure.json`; None if it succeeded or was killed

    @property
    def recorded(self) -> Mapping[str, Any]:
        """Content of `run.json`, or else of `failure.json`; empty if the run left neither."""
        return self.record or self.failure or {}

    @property
    def started(self) -> float:
        """Unix time in seconds."""
        return min((node.started for node in self.nodes.values()), default=0.0)

    @property
    def outcome(self) -> str:
        """`pushed`, `not pushed`, `failed` or `unfinished`."""
        pushed = self.artifact("Pusher", "pushed_model")
        if pushed is not None:
            return PUSHED if pushed.properties.get("pushed") == 1 else NOT_PUSHED
        failed = self.failure is not None or any(node.state == "FAILED" for node in self.nodes.values())
        return FAILED if failed else UNFINISHED

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """`section.key` → value: all settings of a recorded run, otherwise those that its executions recorded."""
        if "settings" in self.recorded:
            return dict(self.recorded["settings"])
        sections: dict[str, Mapping[str, Any]] = {}
        for node in self.nodes.values():
            if "data_config" in node.properties:
                sections["data"] = json.loads(node.properties["data_config"])
            sections |= {name: node.config[name] for name in ("transform", "model", "training") if name in node.config}
        return {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}

    @cached_property
    def selection(self) -> Mapping[str, Any] | None:
        """The selection that the ModeSelector wrote beside its model; None if the run did not get that far."""
        file = self.file("ModeSelector", "model", SELECTION_FILE)
        return json.loads(file.read_text()) if file else None

    def artifact(self, node: str, key: str) -> PastArtifact | None:
        """Returns the first artifact of a node's output; None if there is none."""
        found = self.nodes[node].outputs.get(key, ()) if node in self.nodes else ()
        return found[0] if found else None

    def file(self, node: str, key: str, name: str) -> Path | None:
        """Returns the path of a file in the first artifact of a node's output; None if there is no such file."""
        artifact = self.artifact(node, key)
        file = Path(artifact.uri, name) if artifact else None
        return file if file and file.is_file() else None

    def gone(self) -> list[str]:
        """Returns the folders of outputs that the run's nodes made, and that do not exist any more."""
        made = (found for node in self.nodes.values() if node.state in SUCCEEDED for found in node.outputs.values())
        return [artifact.uri for artifacts in made for artifact in artifacts if not Path(artifact.uri).exists()]


def run_folder(workspace: Path, run_id: str) -> Path:
    """Returns the folder of a run. Some file systems refuse the colons of its id, so dashes replace them."""
    return workspace / "reports" / run_id.replace(":", "-")


def past_runs(connection: mlmd.ConnectionConfig, workspace: Path) -> list[PastRun]:
    """Reads all runs, newest first."""
    store = WorkspaceStore(connection)
    return [_read(store, workspace, run_id) for run_id in _run_ids(store)]


def find_run(connection: mlmd.ConnectionConfig, workspace: Path, name: str | None = None) -> PastRun:
    """Reads a run by its id or the name of its folder; None means the newest run.

    Raises:
        RunError: There is no such run.
    """
    store = WorkspaceStore(connection)
    known = _run_ids(store)
    found = next((run_id for run_id in known if name in (None, run_id, run_id.replace(":", "-"))), None)
    if found is None:
        given = f"no run {name!r}" if name else "no run yet"
        shown = f"the newest are {', '.join(known[:_SHOWN_RUNS])}" if known else "make one with `imdb-attention run`"
        raise RunError(f"{given} in {workspace}; {shown}")
    return _read(store, workspace, found)


def run_nodes(connection: mlmd.ConnectionConfig, run_id: str, nodes: Sequence[str]) -> dict[str, PastNode]:
    """Reads how the nodes of a run ended.

    Args:
        connection: How to connect to ML Metadata.
        run_id: Id of a run of any pipeline.
        nodes: Ids of all nodes of the pipeline; the result has one entry for each, in this order.
    """
    found = _nodes(WorkspaceStore(connection), run_id)
    return {node: found.get(node, PastNode(node, NOT_RUN)) for node in nodes}


def read_executions(store: WorkspaceStore, protos: Sequence[mlmd.Execution]) -> list[PastNode]:
    """Reads executions with their inputs and outputs, in the order of `protos`."""
    events = store.get_events_by_execution_ids([proto.id for proto in protos]) if protos else []
    artifacts = {item.id: item for item in store.get_artifacts_by_id([event.artifact_id for event in events])}
    nodes = []
    for proto in protos:
        inputs: dict[str, list[PastArtifact]] = {}
        outputs: dict[str, list[PastArtifact]] = {}
        for event in events:
            if event.execution_id == proto.id:
                side = outputs if event.type in _OUTPUTS else inputs
                side.setdefault(event.path.steps[0].key, []).append(past_artifact(store, artifacts[event.artifact_id]))
        nodes.append(
            PastNode(
                node=_node_id(store, proto),
                state=mlmd.Execution.State.Name(proto.last_known_state),
                started=proto.create_time_since_epoch / 1000,
                ended=proto.last_update_time_since_epoch / 1000,
                properties=_values(proto.properties) | _values(proto.custom_properties),
                inputs=inputs,
                outputs=outputs,
            )
        )
    return nodes


def past_artifact(store: WorkspaceStore, proto: mlmd.Artifact) -> PastArtifact:
    """Converts an artifact of ML Metadata."""
    properties = store.located(_values(proto.properties) | _values(proto.custom_properties))
    return PastArtifact(proto.id, proto.type, store.absolute(proto.uri), properties)


def _run_ids(store: WorkspaceStore) -> list[str]:
    pipeline = store.get_context_by_type_and_name("pipeline", PIPELINE_NAME)
    children = store.get_children_contexts_by_context(pipeline.id) if pipeline is not None else []
    contexts = [context for context in children if context.type == "pipeline_run"]
    newest_first = sorted(contexts, key=lambda context: (context.create_time_since_epoch, context.id), reverse=True)
    return [context.name for context in newest_first]


def _read(store: WorkspaceStore, workspace: Path, run_id: str) -> PastRun:
    return PastRun(
        run_id=run_id,
        nodes=_nodes(store, run_id),
        record=_read_record(run_folder(workspace, run_id) / RUN_FILE),
        failure=_read_record(run_folder(workspace, run_id) / FAILURE_FILE),
    )


def _read_record(file: Path) -> dict[str, Any] | None:
    """Reads a record of a run; returns None if the file does not exist or cannot be read."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _nodes(store: WorkspaceStore, run_id: str) -> dict[str, PastNode]:
    """Reads the last execution of each node of a run."""
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    protos = store.get_executions_by_context(context.id) if context is not None else []
    return {node.node: node for node in read_executions(store, sorted(protos, key=lambda proto: proto.id))}


def _node_id(store: WorkspaceStore, proto: mlmd.Execution) -> str:
    names = {context.type: context.name for context in store.get_contexts_by_execution(proto.id)}
    return str(names["node"].removeprefix(f"{names['pipeline']}."))


def _values(properties: Mapping[str, mlmd.Value]) -> dict[str, Any]:
    return {name: getattr(value, value.WhichOneof("value")) for name, value in properties.items()}

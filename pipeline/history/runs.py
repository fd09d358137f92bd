"""Past runs, as ML Metadata and their folders know them. TFX is not imported: these commands answer at once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from imdb_core.errors import RunError
from imdb_core.file_names import FAILURE_FILE, PIPELINE_NAME, RUN_FILE
from pipeline.workspace.run_folder import read_record

COMPLETE: Final = "COMPLETE"
CACHED: Final = "CACHED"
PUSHED: Final = "pushed"
NOT_PUSHED: Final = "not pushed"
FAILED: Final = "failed"
# Of a run that still goes on, or was killed: ML Metadata cannot tell.
UNFINISHED: Final = "unfinished"

_OUTPUTS: Final = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)
_SHOWN_RUNS: Final = 5


@dataclass(frozen=True)
class PastArtifact:
    """An artifact in ML Metadata.

    Attributes:
        id: ML Metadata's.
        type: such as `Model`.
        uri: where it lies.
        properties: TFX's and the components' own, by name.
    """

    id: int
    type: str
    uri: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PastNode:
    """One execution of a node.

    Attributes:
        node: its id in the pipeline.
        state: ML Metadata's name of how it ended.
        started: Unix time in seconds.
        ended: likewise; of the last news of it where it did not end.
        properties: what it was executed with.
        inputs: artifacts by input key.
        outputs: artifacts by output key; a cached execution has those of the one whose work it took.
    """

    node: str
    state: str
    started: float
    ended: float
    properties: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Sequence[PastArtifact]] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[PastArtifact]] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        """What we handed to a component of TFX's own; empty where there is nothing."""
        return json.loads(self.properties.get("custom_config", "null")) or {}


@dataclass(frozen=True)
class PastRun:
    """A run that has ended, well or not.

    Attributes:
        run_id: ML Metadata's name of it.
        nodes: the executed and cached ones by id, in their order.
        record: `run.json`; None of a run that did not succeed.
        failure: `failure.json`; None of a run that succeeded, or was killed.
    """

    run_id: str
    nodes: Mapping[str, PastNode]
    record: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None

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
        """`section.key` → value: what was recorded, or of an older failure as much as its executions tell."""
        for record in (self.record, self.failure):
            if record is not None and "settings" in record:
                return dict(record["settings"])
        sections: dict[str, Mapping[str, Any]] = {}
        for node in self.nodes.values():
            if "data_config" in node.properties:
                sections["data"] = json.loads(node.properties["data_config"])
            sections |= {name: node.config[name] for name in ("transform", "model", "training") if name in node.config}
        return {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}

    @cached_property
    def selection(self) -> Mapping[str, Any] | None:
        """What the ModeSelector wrote beside its model; None where the run did not get that far."""
        model = self.artifact("ModeSelector", "model")
        file = Path(model.uri) / "selection.json" if model else None
        return json.loads(file.read_text()) if file and file.is_file() else None

    def artifact(self, node: str, key: str) -> PastArtifact | None:
        """The one artifact of a node's output; None where there is none."""
        found = self.nodes[node].outputs.get(key, ()) if node in self.nodes else ()
        return found[0] if found else None


def past_runs(connection: mlmd.ConnectionConfig, workspace: Path) -> list[PastRun]:
    """Reads all runs, the newest first.

    Args:
        connection: to ML Metadata.
        workspace: holds the folders of the runs.
    """
    store = metadata_store.MetadataStore(connection)
    return [_read(store, workspace, run_id) for run_id in _run_ids(store)]


def find_run(connection: mlmd.ConnectionConfig, workspace: Path, name: str | None = None) -> PastRun:
    """Reads one run.

    Args:
        connection: to ML Metadata.
        workspace: holds the folders of the runs.
        name: its id, or the name of its folder; the newest run by default.

    Raises:
        RunError: there is no such run.
    """
    store = metadata_store.MetadataStore(connection)
    known = _run_ids(store)
    found = next((run_id for run_id in known if name in (None, run_id, run_id.replace(":", "-"))), None)
    if found is None:
        given = f"no run {name!r}" if name else "no run yet"
        shown = f"the newest are {', '.join(known[:_SHOWN_RUNS])}" if known else "make one with `imdb-attention run`"
        raise RunError(f"{given} in {workspace}; {shown}")
    return _read(store, workspace, found)


def executions(store: metadata_store.MetadataStore, protos: Iterable[mlmd.Execution]) -> list[PastNode]:
    """Reads what went into executions and came out of them.

    Args:
        store: ML Metadata.
        protos: its executions.

    Returns:
        A node for each of `protos`, in their order.
    """
    protos = list(protos)
    events = store.get_events_by_execution_ids([proto.id for proto in protos]) if protos else []
    artifacts = {item.id: item for item in store.get_artifacts_by_id([event.artifact_id for event in events])}
    nodes = []
    for proto in protos:
        sides: tuple[dict[str, list[PastArtifact]], ...] = ({}, {})
        for event in events:
            if event.execution_id == proto.id:
                side = sides[event.type in _OUTPUTS]
                side.setdefault(event.path.steps[0].key, []).append(_artifact(artifacts[event.artifact_id]))
        nodes.append(
            PastNode(
                node=_node_id(store, proto),
                state=mlmd.Execution.State.Name(proto.last_known_state),
                started=proto.create_time_since_epoch / 1000,
                ended=proto.last_update_time_since_epoch / 1000,
                properties=_values(proto.properties) | _values(proto.custom_properties),
                inputs=sides[0],
                outputs=sides[1],
            )
        )
    return nodes


def _run_ids(store: metadata_store.MetadataStore) -> list[str]:
    pipeline = store.get_context_by_type_and_name("pipeline", PIPELINE_NAME)
    children = store.get_children_contexts_by_context(pipeline.id) if pipeline is not None else []
    contexts = [context for context in children if context.type == "pipeline_run"]
    newest_first = sorted(contexts, key=lambda context: (context.create_time_since_epoch, context.id), reverse=True)
    return [context.name for context in newest_first]


def _read(store: metadata_store.MetadataStore, workspace: Path, run_id: str) -> PastRun:
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    protos = sorted(store.get_executions_by_context(context.id), key=lambda proto: proto.id)
    return PastRun(
        run_id=run_id,
        # Of several tries of a node the last counts.
        nodes={node.node: node for node in executions(store, protos)},
        record=read_record(workspace, run_id, RUN_FILE),
        failure=read_record(workspace, run_id, FAILURE_FILE),
    )


def _node_id(store: metadata_store.MetadataStore, proto: mlmd.Execution) -> str:
    names = {context.type: context.name for context in store.get_contexts_by_execution(proto.id)}
    return str(names["node"].removeprefix(f"{names['pipeline']}."))


def _artifact(proto: mlmd.Artifact) -> PastArtifact:
    return PastArtifact(proto.id, proto.type, proto.uri, _values(proto.properties) | _values(proto.custom_properties))


def _values(properties: Mapping[str, mlmd.Value]) -> dict[str, Any]:
    return {name: getattr(value, value.WhichOneof("value")) for name, value in properties.items()}

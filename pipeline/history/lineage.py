"""Traces a pushed version back to its data, as ML Metadata recorded it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ml_metadata.proto import metadata_store_pb2 as mlmd

from imdb_core.errors import RunError
from pipeline.history.runs import PastArtifact, PastNode, past_artifact, read_executions
from pipeline.workspace.store import WorkspaceStore

_SHOWN_VERSIONS: Final = 10
# The parameters that identify the input and the code of an execution.
_DIGESTS: Final = ("input_fingerprint", "code_digest")

_ORDER: Final = {name: place for place, name in enumerate(("Model", "TransformGraph", "Examples"))}


@dataclass(frozen=True)
class LineageStep:
    """An artifact and how it was made."""

    artifact: PastArtifact
    node: PastNode | None  # the execution that made it; None if it was made outside the pipeline
    sources: Sequence["LineageStep"]  # one for each input; empty for a repeated artifact
    repeated: bool = False  # the trace already contains the artifact, with its sources

    @property
    def digests(self) -> Mapping[str, str]:
        """The digests of the execution's input and code that were recorded, by name of the parameter."""
        if self.node is None:
            return {}
        # TFX's own components get the digest of our code in their custom config.
        parameters = {**self.node.config, **self.node.properties}
        return {name: str(parameters[name]) for name in _DIGESTS if name in parameters}

    def to_json(self) -> dict[str, Any]:
        """Returns the step and all its sources as JSON."""
        return {
            "type": self.artifact.type,
            "id": self.artifact.id,
            "uri": self.artifact.uri,
            "node": self.node.node if self.node else None,
            "started": self.node.started if self.node else None,
            "ended": self.node.ended if self.node else None,
            "digests": self.digests,
            "repeated": self.repeated,
            "sources": [source.to_json() for source in self.sources],
        }


def trace(connection: mlmd.ConnectionConfig, version: str) -> LineageStep:
    """Traces a pushed version, by its number, back to its data.

    Raises:
        RunError: No run pushed this version.
    """
    store = WorkspaceStore(connection)
    artifacts = [past_artifact(store, proto) for proto in store.get_artifacts_by_type("PushedModel")]
    pushed = {found: artifact.id for artifact in artifacts if (found := artifact.properties.get("pushed_version"))}
    if version not in pushed:
        known = sorted(pushed, key=int, reverse=True)
        newest = f"known are {', '.join(known[:_SHOWN_VERSIONS])}" if known else "no run has pushed one yet"
        raise RunError(f"no run pushed a version {version!r}; {newest}")
    return _step(store, pushed[version], set())


def trace_artifact(connection: mlmd.ConnectionConfig, artifact_id: int) -> LineageStep:
    """Traces any existing artifact, by its id in ML Metadata, back to its data."""
    return _step(WorkspaceStore(connection), artifact_id, set())


def _step(store: WorkspaceStore, artifact_id: int, met: set[int]) -> LineageStep:
    node = _producer(store, artifact_id)
    if node is None:
        (proto,) = store.get_artifacts_by_id([artifact_id])
        return LineageStep(past_artifact(store, proto), None, ())
    artifact = next(item for found in node.outputs.values() for item in found if item.id == artifact_id)
    if artifact_id in met:
        return LineageStep(artifact, node, (), repeated=True)
    met.add(artifact_id)
    inputs = {item.id: item for found in node.inputs.values() for item in found}
    # What the artifact was made of comes before evaluations of it; the sort is stable.
    ordered = sorted(inputs.values(), key=lambda item: _ORDER.get(item.type, len(_ORDER)))
    return LineageStep(artifact, node, [_step(store, source.id, met) for source in ordered])


def _producer(store: WorkspaceStore, artifact_id: int) -> PastNode | None:
    """Returns the execution that did the work: a Resolver and a cached execution only pass on existing artifacts."""
    events = store.get_events_by_artifact_ids([artifact_id])
    ids = sorted({event.execution_id for event in events if event.type == mlmd.Event.OUTPUT})
    protos = [proto for proto in store.get_executions_by_id(ids) if proto.last_known_state != mlmd.Execution.CACHED]
    found = read_executions(store, sorted(protos, key=lambda proto: proto.id)[:1])
    return found[0] if found else None

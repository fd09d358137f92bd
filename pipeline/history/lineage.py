"""From a pushed version back to its data, as ML Metadata recorded it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from imdb_core.errors import RunError
from pipeline.history.runs import PastArtifact, PastNode, executions

_SHOWN_VERSIONS: Final = 10
# What identifies the work of an execution, of all that it was given.
_DIGESTS: Final = ("input_fingerprint", "code_digest")

_ORDER: Final = {name: place for place, name in enumerate(("Model", "TransformGraph", "Examples"))}


@dataclass(frozen=True)
class Step:
    """An artifact and how it came to be.

    Attributes:
        artifact: the artifact.
        node: the execution that made it; None of one that was made outside of the pipeline.
        sources: a step for each of that execution's inputs. One that was met before has none: it stands there.
        repeated: whether it was met before.
    """

    artifact: PastArtifact
    node: PastNode | None
    sources: Sequence["Step"]
    repeated: bool = False

    def to_json(self) -> dict[str, Any]:
        """All of it, for `json.dumps`."""
        return {
            "type": self.artifact.type,
            "id": self.artifact.id,
            "uri": self.artifact.uri,
            "node": self.node.node if self.node else None,
            "started": self.node.started if self.node else None,
            "ended": self.node.ended if self.node else None,
            "digests": digests(self.node) if self.node else {},
            "repeated": self.repeated,
            "sources": [source.to_json() for source in self.sources],
        }


def trace(connection: mlmd.ConnectionConfig, version: str) -> Step:
    """Walks from a pushed version to its data.

    Args:
        connection: to ML Metadata.
        version: its number.

    Raises:
        RunError: no run pushed such a version.
    """
    store = metadata_store.MetadataStore(connection)
    pushed = {_text(artifact, "pushed_version"): artifact for artifact in store.get_artifacts_by_type("PushedModel")}
    pushed.pop("", None)
    if version not in pushed:
        known = sorted(pushed, key=int, reverse=True)
        newest = f"known are {', '.join(known[:_SHOWN_VERSIONS])}" if known else "no run has pushed one yet"
        raise RunError(f"no run pushed a version {version!r}; {newest}")
    return _step(store, pushed[version].id, set())


def trace_artifact(connection: mlmd.ConnectionConfig, artifact_id: int) -> Step:
    """Walks from any artifact to its data.

    Args:
        connection: to ML Metadata.
        artifact_id: ML Metadata's, of one that is there.
    """
    return _step(metadata_store.MetadataStore(connection), artifact_id, set())


def digests(node: PastNode) -> Mapping[str, str]:
    """What identifies the work of an execution: digests of its source and of its code."""
    # Where TFX's own components take the digest of our code.
    told = {**node.config, **node.properties}
    return {name: str(told[name]) for name in _DIGESTS if name in told}


def _step(store: metadata_store.MetadataStore, artifact_id: int, met: set[int]) -> Step:
    node = _producer(store, artifact_id)
    if node is None:
        (proto,) = store.get_artifacts_by_id([artifact_id])
        return Step(PastArtifact(proto.id, proto.type, proto.uri), None, ())
    artifact = next(item for found in node.outputs.values() for item in found if item.id == artifact_id)
    if artifact_id in met:
        return Step(artifact, node, (), repeated=True)
    met.add(artifact_id)
    inputs = {item.id: item for found in node.inputs.values() for item in found}
    # What a thing was made of before the evidence on it: a stable sort.
    ordered = sorted(inputs.values(), key=lambda item: _ORDER.get(item.type, len(_ORDER)))
    return Step(artifact, node, [_step(store, source.id, met) for source in ordered])


def _producer(store: metadata_store.MetadataStore, artifact_id: int) -> PastNode | None:
    """The execution that did the work; a Resolver and a cached execution only pass on what is there."""
    events = store.get_events_by_artifact_ids([artifact_id])
    ids = sorted({event.execution_id for event in events if event.type == mlmd.Event.OUTPUT})
    protos = [proto for proto in store.get_executions_by_id(ids) if proto.last_known_state != mlmd.Execution.CACHED]
    found = executions(store, sorted(protos, key=lambda proto: proto.id)[:1])
    return found[0] if found else None


def _text(artifact: mlmd.Artifact, name: str) -> str:
    return str(artifact.custom_properties[name].string_value) if name in artifact.custom_properties else ""

"""Brings ML Metadata in line with the files of a workspace, before a run uses them.

TFX takes over cached outputs and blessed models as ML Metadata records them, whether their files exist or not.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.workspace.store import PATH_PROPERTIES, WorkspaceStore

_LIVE: Final = mlmd.Artifact.LIVE
# TFX uses neither as a cached output nor as an input what is not live.
_GONE: Final = mlmd.Artifact.DELETED

_DESTINATION: Final = "pushed_destination"


def repair(store: WorkspaceStore, workspace: Path) -> list[str]:
    """Makes paths relative, and marks artifacts whose files are gone, or are back again.

    A pushed model counts as gone if its version was removed, so that it can be pushed again.

    Args:
        store: The workspace's store.
        workspace: Absolute path of the workspace. Artifacts elsewhere stay as they are.

    Returns:
        One sentence for each kind of change.
    """
    artifacts = store.get_artifacts()
    moved = [artifact for artifact in artifacts if _make_relative(store, artifact)]
    gone, back = [], []
    for artifact in artifacts:
        exists = all(Path(path).exists() for path in _paths(store, artifact, workspace))
        if artifact.state == _LIVE and not exists:
            artifact.state = _GONE
            gone.append(artifact)
        elif artifact.state == _GONE and exists:
            artifact.state = _LIVE
            back.append(artifact)
    changed = {artifact.id: artifact for artifact in (*moved, *gone, *back)}
    if changed:
        store.put_artifacts(list(changed.values()))
    return list(_in_words(moved, gone, back))


def _make_relative(store: WorkspaceStore, artifact: mlmd.Artifact) -> bool:
    before = artifact.SerializeToString(deterministic=True)
    artifact.uri = store.relative(artifact.uri)
    for name in PATH_PROPERTIES:
        if name in artifact.custom_properties:
            value = artifact.custom_properties[name]
            value.string_value = store.relative(value.string_value)
    return bool(artifact.SerializeToString(deterministic=True) != before)


def _paths(store: WorkspaceStore, artifact: mlmd.Artifact, workspace: Path) -> Iterator[str]:
    """Yields the paths in the workspace that must exist for an artifact to be usable."""
    destination = artifact.custom_properties[_DESTINATION].string_value if _pushed(artifact) else ""
    for uri in (artifact.uri, destination):
        path = store.absolute(uri)
        if uri and Path(path).is_relative_to(workspace):
            yield path


def _pushed(artifact: mlmd.Artifact) -> bool:
    return _DESTINATION in artifact.custom_properties


def _in_words(moved: list[mlmd.Artifact], gone: list[mlmd.Artifact], back: list[mlmd.Artifact]) -> Iterator[str]:
    if moved:
        yield f"{len(moved)} paths in ML Metadata named another folder; they are relative to this workspace now"
    if gone:
        yield (
            f"the files of {len(gone)} earlier outputs are gone, the first is {gone[0].uri}; what needs them runs "
            "again, and a model among them is no longer compared with"
        )
    if back:
        yield f"the files of {len(back)} earlier outputs are back, the first is {back[0].uri}"

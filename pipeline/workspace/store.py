"""ML Metadata of a workspace. Paths in it are relative to the workspace, which can therefore be copied and moved.

TFX is not imported, so that commands that only read answer quickly.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

ARTIFACTS: Final = "artifacts"
MODELS: Final = "models"

# Properties of artifacts that hold paths: TFX's Pusher and Evaluator write them.
PATH_PROPERTIES: Final = ("pushed_destination", "current_model", "baseline_model")

# A path of a workspace, wherever that was: `artifacts/NODE/KEY/ID` or `models/NAME/VERSION`.
_OWN: Final = re.compile(rf"/.*/({ARTIFACTS}/[^/]+/[^/]+/\d+|{MODELS}/[^/]+/\d+)")


class WorkspaceStore(metadata_store.MetadataStore):  # type: ignore[misc]  # ML Metadata ships no types
    """The ML Metadata store of a workspace.

    A store on a database server may belong to several workspaces, so its paths are absolute.

    Args:
        connection: How to connect.

    Attributes:
        root: The folder of the workspace; None for a store on a database server.
    """

    def __init__(self, connection: mlmd.ConnectionConfig) -> None:
        super().__init__(connection)
        self.root = Path(connection.sqlite.filename_uri).parents[1] if connection.HasField("sqlite") else None

    def relative(self, uri: str) -> str:
        """Returns a path as it belongs into this store; paths of an earlier place of the workspace become relative."""
        own = _OWN.fullmatch(uri) if self.root else None
        return own[1] if own else uri

    def absolute(self, uri: str) -> str:
        """Returns where a path of this store is now."""
        return uri if self.root is None or "://" in uri else str(self.root / self.relative(uri))

    def located(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the properties of an artifact with absolute paths."""
        return {
            name: self.absolute(value) if name in PATH_PROPERTIES and value else value
            for name, value in properties.items()
        }

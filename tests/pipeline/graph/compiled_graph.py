from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration import metadata

from pipeline.workspace.places import Places


def compiled_nodes(folder: Path, create: Callable[[Places, Any], Any]) -> dict[str, Any]:
    """The nodes of a compiled graph by id; `create` takes the workspace's paths and a connection to ML Metadata."""
    places = Places(*(folder / name for name in ("artifacts", "checkpoints", "cache", "versions", "schema.pbtxt")))
    pipeline = create(places, metadata.sqlite_metadata_connection_config(str(folder / "metadata.db")))
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in Compiler().compile(pipeline).nodes}


def parameter(node: Any, name: str) -> str:
    return node.parameters.parameters[name].field_value.string_value

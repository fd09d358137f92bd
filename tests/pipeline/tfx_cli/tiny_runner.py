"""The smallest pipeline that TFX runs. Tests execute copies of it, which write what they received into their folder."""

import json
import os
import sys
from pathlib import Path

from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

HERE = Path(__file__).resolve().parent


@component
def Report():  # noqa: N802  - TFX names nodes after it
    """Writes what the node received, or fails if the test wants it."""
    if os.environ.get("TINY_FAILS") == "node":
        raise ValueError("the node fails")
    report = {
        "arguments": sys.argv,
        "config": os.environ.get("IMDB_CONFIG"),
        "set": os.environ.get("IMDB_SET"),
        "pipeline_package": "pipeline" in sys.modules,
    }
    with (HERE / "reports.jsonl").open("a") as file:
        file.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    LocalDagRunner().run(
        Pipeline(
            pipeline_name="tiny",
            pipeline_root=str(HERE / "root"),
            components=[Report()],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(HERE / "metadata.db")),
            enable_cache=False,
        )
    )
    if os.environ.get("TINY_FAILS") == "status":
        sys.exit(3)

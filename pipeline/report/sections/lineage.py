"""Traces what the model of a run was made from."""

from ml_metadata.proto import metadata_store_pb2

from pipeline.history.lineage import LineageStep, trace_artifact
from pipeline.history.runs import PastRun


def describe_lineage(connection: metadata_store_pb2.ConnectionConfig, run: PastRun) -> LineageStep | None:
    """Traces the pushed version, or else the chosen model, back to its data.

    Args:
        connection: How to connect to ML Metadata.
        run: A past run.

    Returns:
        The last step; None if the run did not choose a model.
    """
    subject = run.artifact("Pusher", "pushed_model") or run.artifact("ModeSelector", "model")
    return trace_artifact(connection, subject.id) if subject else None

"""Writes the page of a run beside its record."""

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2

from imdb_core.file_names import PAGE_FILE
from imdb_core.files import write_atomically
from pipeline.history.runs import find_run
from pipeline.report.content import gather
from pipeline.report.page import page
from pipeline.report.sections.statistics_view import FILE, write_statistics_view
from pipeline.workspace.run_folder import run_folder


def write_page(connection: metadata_store_pb2.ConnectionConfig, workspace: Path, name: str | None = None) -> Path:
    """Builds `reports/RUN/index.html` from the artifacts of a run, and TFDV's view of the statistics beside it.

    Args:
        connection: to ML Metadata.
        workspace: holds the reports.
        name: of the run; the newest by default.

    Returns:
        The page.

    Raises:
        RunError: there is no such run.
    """
    run = find_run(connection, workspace, name)
    folder = run_folder(workspace, run.run_id)
    has_view = write_statistics_view(run.artifact("StatisticsGen", "statistics"), folder)
    write_atomically(folder / PAGE_FILE, page(gather(connection, run), statistics_view=FILE if has_view else None))
    return folder / PAGE_FILE

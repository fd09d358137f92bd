"""Writes the page of a run: one HTML file that loads nothing and contains no script."""

import time
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from ml_metadata.proto import metadata_store_pb2

from imdb_core import modes
from imdb_core.errors import RunError
from imdb_core.files import write_atomically
from imdb_core.stats.intervals import Estimate
from pipeline.history.runs import find_run, run_folder
from pipeline.report.content import PageContent, gather
from pipeline.report.sections.statistics_view import FILE, write_statistics_view
from pipeline.workspace.run_names import PAGE_FILE
from serving.look import marked_code

_MEGABYTES_IN_GIGABYTE = 1024
_MINUTE = 60


def write_page(connection: metadata_store_pb2.ConnectionConfig, workspace: Path, name: str | None = None) -> Path:
    """Writes `reports/RUN/index.html` from the artifacts of a run, and TFDV's view of the statistics beside it.

    A page that was complete is not replaced by one for which artifacts are missing.

    Args:
        connection: How to connect to ML Metadata.
        workspace: The folder that holds the runs' folders.
        name: The run's id or the name of its folder; None means the newest run.

    Raises:
        RunError: There is no such run, or the run has a page and artifacts for a new one are gone.
    """
    run = find_run(connection, workspace, name)
    folder = run_folder(workspace, run.run_id)
    gone = run.gone()
    if gone and (folder / PAGE_FILE).exists():
        raise RunError(
            f"the files of {len(gone)} outputs of run {run.run_id} are gone, the first is {gone[0]}; its page stays as "
            f"it was: {folder / PAGE_FILE}; to draw one from what is left, rename or delete that file"
        )
    has_view = write_statistics_view(run.artifact("StatisticsGen", "statistics"), folder)
    write_atomically(folder / PAGE_FILE, _html(gather(connection, run), FILE if has_view else None))
    return folder / PAGE_FILE


def _html(content: PageContent, statistics_view: str | None) -> str:
    """Renders the page; all texts from reviews, settings and errors are escaped."""
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(interval=_interval, seconds=_seconds, memory=_memory, moment=_moment, code=_code)
    template = environment.get_template("report.html.j2")
    return template.render(content=content, statistics_view=statistics_view, modes=modes.MODES)


def _code(sentence: str) -> Markup:
    """Formats what stands between backticks as code."""
    return Markup(marked_code(sentence))  # noqa: S704 - `marked_code` escapes the sentence


def _interval(estimate: Estimate, decimals: int = 4, *, signed: bool = False) -> str:
    """Formats the ends of an interval; returns an empty text if there is no interval."""
    if estimate.low != estimate.low or estimate.value != estimate.value:
        return ""
    sign = "+" if signed else ""
    return f"{estimate.low:{sign}.{decimals}f} to {estimate.high:{sign}.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _seconds(value: float | None) -> str:
    """Formats a duration, such as `8.1 s` or `3 min 20 s`; None gives a dash."""
    if value is None:
        return "–"
    if value < _MINUTE:
        return f"{value:.1f} s"
    return f"{int(value) // _MINUTE} min {int(value) % _MINUTE} s"


def _memory(megabytes: float | None) -> str:
    """Formats an amount of memory, such as `812 MiB` or `1.3 GiB`; None gives a dash."""
    if megabytes is None:
        return "–"
    if megabytes < _MEGABYTES_IN_GIGABYTE:
        return f"{megabytes:.0f} MiB"
    return f"{megabytes / _MEGABYTES_IN_GIGABYTE:.1f} GiB"


def _moment(unix: float) -> str:
    """Formats a Unix time as local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix))

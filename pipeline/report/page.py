"""From content to HTML: one file that fetches nothing and runs nothing."""

import time
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from imdb_core import modes
from imdb_core.stats.intervals import Estimate
from pipeline.history import lineage
from pipeline.report import graph_layout
from pipeline.report.content import Content

TEMPLATE: Final = "report.html.j2"
_MEGABYTE: Final = 1024
_MINUTE: Final = 60


def page(content: Content, *, statistics_view: str | None = None) -> str:
    """Writes the page of a run.

    Args:
        content: of `gather`.
        statistics_view: a file beside the page to link to.

    Returns:
        HTML. Whatever came from reviews, settings or errors stands in it as text.
    """
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(interval=interval, seconds=seconds, memory=memory, moment=moment)
    slowest = max((row.seconds or 0.0 for row in content.nodes), default=0.0) or 1.0
    return environment.get_template(TEMPLATE).render(
        content=content,
        statistics_view=statistics_view,
        modes=modes.MODES,
        rows={row.node: row for row in content.nodes},
        slowest=slowest,
        box=(graph_layout.WIDTH, graph_layout.HEIGHT),
        digests=lineage.digests,
    )


def interval(estimate: Estimate, decimals: int = 4, *, signed: bool = False) -> str:
    """Writes the ends of an interval; nothing where there is none."""
    if estimate.low != estimate.low or estimate.value != estimate.value:
        return ""
    sign = "+" if signed else ""
    return f"{estimate.low:{sign}.{decimals}f} to {estimate.high:{sign}.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def seconds(value: float | None) -> str:
    """Writes a duration, such as `8.1 s` or `3 min 20 s`; a dash where there is none."""
    if value is None:
        return "–"
    if value < _MINUTE:
        return f"{value:.1f} s"
    return f"{int(value) // _MINUTE} min {int(value) % _MINUTE} s"


def memory(megabytes: float | None) -> str:
    """Writes an amount of memory, such as `812 MiB` or `1.3 GiB`; a dash where there is none."""
    if megabytes is None:
        return "–"
    return f"{megabytes:.0f} MiB" if megabytes < _MEGABYTE else f"{megabytes / _MEGABYTE:.1f} GiB"


def moment(unix: float) -> str:
    """Writes a point in time, local."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix))

"""Draws figures as inline SVG with the page's colours, so that one picture suits light and dark screens."""

import re
from collections.abc import Callable
from io import StringIO
from typing import Any, Final

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imdb_core.modes import SCALAR, VECTOR

# Placeholders that no picture contains by chance; they are replaced by the colours of the page's style sheet.
INK: Final = "#010203"
FAINT: Final = "#040506"
SURFACE: Final = "#070809"
MODE_COLORS: Final = {SCALAR: "#0a0b0c", VECTOR: "#0d0e0f"}
_VARIABLES: Final = {
    INK: "currentColor",
    FAINT: "var(--faint)",
    SURFACE: "var(--surface)",
    MODE_COLORS[SCALAR]: "var(--scalar)",
    MODE_COLORS[VECTOR]: "var(--vector)",
}
# Modes differ not only in colour.
MODE_STYLES: Final = {SCALAR: "-", VECTOR: "--"}
MODE_MARKERS: Final = {SCALAR: "o", VECTOR: "s"}

_STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "imdb-attention",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.55,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    # Fixed, so that figures side by side have axes side by side; laying out by content would also take half the time.
    "figure.subplot.left": 0.155,
    "figure.subplot.right": 0.965,
    "figure.subplot.bottom": 0.15,
    "figure.subplot.top": 0.93,
}
# In inches. 360 points are about the width of a phone's screen, so that the text is as large as the page's small print.
_SIZE: Final = (5.0, 3.7)

_FONT: Final = re.compile(r"font: (?:[a-z]+ )?([\d.]+)px [^;\"]*")
_LONG: Final = re.compile(r"\d+\.\d{3,}")
_ID: Final = re.compile(r' id="([^"]*)"')


def draw(name: str, described: str, paint: Callable[[Axes], None]) -> Markup:
    """Draws one pair of axes, and returns it as an `<svg>` element.

    Args:
        name: Name of the picture, unique in the page.
        described: The alternative text for people who cannot see the picture.
        paint: A function that draws into the axes.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE)
        paint(figure.add_subplot())
        buffer = StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), name, described)


def line_style(mode: str) -> dict[str, Any]:
    """Returns the look of a mode in every figure, as arguments of matplotlib's drawing functions."""
    return {"color": MODE_COLORS[mode], "linestyle": MODE_STYLES[mode], "label": mode}


def _inline(document: str, name: str, described: str) -> Markup:
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    head, body = svg[: svg.index(">") + 1], svg[svg.index(">") + 1 :]
    view = re.search(r'viewBox="[^"]*"', head)
    # Matplotlib numbers the parts of each figure from 1. Only parts that are referred to keep an id, made unique.
    used = {
        reference for pair in re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', body) for reference in pair if reference
    }
    body = _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = _FONT.sub(r"font-size: \1px", body)
    for color, variable in _VARIABLES.items():
        body = body.replace(color, variable)
    # Coordinates are inside tags and are rounded to what a screen can show; the labels of axes are between tags.
    body = re.sub(r"<[^>]*>", lambda tag: _LONG.sub(lambda found: f"{float(found[0]):.2f}", tag[0]), body)
    opening = f'<svg {view[0] if view else ""} role="img" aria-label="{escape(described)}">'
    return Markup(opening + body)  # noqa: S704 - matplotlib escapes all text

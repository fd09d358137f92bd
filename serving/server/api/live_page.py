"""The live page at `/` of the REST port: type a review, and see its sentiment and the words with the most attention.

TensorFlow Serving has no such page; it refuses `GET /` as a malformed request. The page is an ordinary client of the
REST API; the server only fills in the names of its models.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Final
from urllib.parse import quote

from starlette.responses import HTMLResponse

from imdb_core.provenance import SAMPLE, sample_notice
from serving.look import STYLE, marked_code
from serving.names import STABLE

_FILES: Final = resources.files("serving.server.api") / "page"
_PAGE: Final = Template(_FILES.joinpath("index.html").read_text(encoding="utf-8"))
_STYLE: Final = STYLE + _FILES.joinpath("style.css").read_text(encoding="utf-8")
_SCRIPT: Final = _FILES.joinpath("app.js").read_text(encoding="utf-8")

# Shown if the model answers that it learned from the sample.
_SAMPLE: Final = f"This model was {marked_code(str(sample_notice(SAMPLE)))}."


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def live_page(available: Mapping[str, Sequence[int]], labels: Mapping[str, Mapping[str, int]]) -> HTMLResponse:
    """Builds the page, whose policy allows requests to its own server only.

    Args:
        available: Model → AVAILABLE versions.
        labels: Model → label → version.
    """
    page = _PAGE.substitute(style=_STYLE, script=_SCRIPT, sample=_SAMPLE, models=_options(available, labels))
    return HTMLResponse(page, headers=_HEADERS)


def _options(available: Mapping[str, Sequence[int]], labels: Mapping[str, Mapping[str, int]]) -> str:
    """Writes the choices of models: the labels of each model, `stable` first, and its newest version."""
    options = []
    for name, versions in available.items():
        path = quote(name, safe="")
        labelled = sorted(labels.get(name, {}).items(), key=lambda label: (label[0] != STABLE, label[0]))
        for label, version in labelled:
            options.append((f"{path}/labels/{quote(label, safe='')}", f"{name}: {label} ({version})"))
        if versions:
            options.append((path, f"{name}: newest ({max(versions)})" if labelled else name))
    return "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)

"""Explanations as a web page: one file, nothing fetched, nothing run."""

from collections.abc import Iterable
from html import escape
from typing import Final

from serving.client.results import Explanation
from serving.client.shading import Piece, notes, shaded

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Which words made it so</title>
<style>
:root {{ color-scheme: light dark; --attention: 255 150 40; --negative: #b3261e; --positive: #1b6e35; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --attention: 176 84 0; --negative: #ff8a80; --positive: #7ddf98; }}
}}
body {{ max-width: 44rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.7 system-ui, sans-serif; }}
h2 {{ margin: 2.5rem 0 .25rem; font-size: 1.1rem; }}
.negative {{ color: var(--negative); }}
.positive {{ color: var(--positive); }}
p {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }}
p span {{ border-radius: .2em; padding: .1em 0; background: rgb(var(--attention) / var(--strength)); }}
small, p s {{ opacity: .6; text-decoration: none; }}
</style>
</head>
<body>
{reviews}
</body>
</html>
"""
_REVIEW: Final = """<article>
<h2><span class="{label}">{label}</span> {percent:.1f} %</h2>
<p dir="auto">{pieces}</p>
<small>{footnote}</small>
</article>"""


def page(explanations: Iterable[Explanation]) -> str:
    """Writes a page: each review with its sentiment, each word's background shaded by its attention.

    Args:
        explanations: of the reviews.

    Returns:
        HTML, for light and dark screens.
    """
    return _PAGE.format(reviews="\n".join(_review(explanation) for explanation in explanations))


def _review(explanation: Explanation) -> str:
    pieces = shaded(explanation)
    greatest = max(explanation.attention, default=0.0)
    scale = f"the strongest shade is {100 * greatest:.1f} % of the attention"
    return _REVIEW.format(
        label=escape(explanation.label),
        percent=100 * explanation.probability,
        pieces="".join(_marked_up(piece) for piece in pieces),
        footnote="; ".join([scale, *notes(explanation, pieces)]),
    )


def _marked_up(piece: Piece) -> str:
    text = escape(piece.text)
    if not piece.read:
        return f"<s>{text}</s>"
    if piece.attention is None:
        return text
    return f'<span style="--strength: {piece.strength:.3f}" title="{100 * piece.attention:.2f} %">{text}</span>'

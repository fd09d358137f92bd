"""Explanations as a web page: one file without scripts or external resources."""

from collections.abc import Iterable
from html import escape
from typing import Final

from serving.client.results import Explanation
from serving.client.shading import Piece, notes, shaded
from serving.look import STYLE

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Which words made it so</title>
<style>{style}
article {{ margin-top: 1.25rem; }}
h2 {{ margin: 0 0 .5rem; font-size: 1.35rem; line-height: 1.3; }}
small {{ display: block; margin-top: .9rem; }}
</style>
</head>
<body>
<h1>Which words made it so</h1>
{reviews}
</body>
</html>
"""
_REVIEW: Final = """<article class="card">
<h2><span class="{label}">{label}</span> {percent:.1f} %</h2>
<p class="review" dir="auto">{pieces}</p>
<small>{footnote}</small>
</article>"""


def page(explanations: Iterable[Explanation]) -> str:
    """Returns HTML with the sentiment of each review, and each word's attention as the shade of its background."""
    return _PAGE.format(style=STYLE, reviews="\n".join(_review(explanation) for explanation in explanations))


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

"""Explanations as a web page: one file without scripts or external resources."""

from collections.abc import Iterable
from html import escape
from typing import Final

from imdb_core.provenance import sample_notice
from serving.client.results import Explanation
from serving.client.shading import UNKNOWN, Piece, notes, shaded
from serving.look import STYLE, marked_code

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
{banners}{reviews}
</body>
</html>
"""
_REVIEW: Final = """<article class="card">
<h2>{verdict}</h2>
<p class="review" dir="auto">{pieces}</p>
<small>{footnote}</small>
</article>"""


def page(explanations: Iterable[Explanation], selection: str | None = None) -> str:
    """Returns HTML with the sentiment of each review, and each word's attention as the shade of its background.

    Args:
        explanations: The reviews.
        selection: A sentence about which reviews these are; None if they are all.
    """
    shown = list(explanations)
    samples = {notice for explanation in shown if (notice := sample_notice(explanation.trained_on))}
    banners = [f"The model was {notice}." for notice in samples] + ([selection] if selection else [])
    return _PAGE.format(
        style=STYLE,
        banners="".join(f'<div class="notice">{marked_code(banner)}</div>\n' for banner in banners),
        reviews="\n".join(_review(explanation) for explanation in shown),
    )


def _review(explanation: Explanation) -> str:
    pieces = shaded(explanation)
    greatest = max(explanation.attention, default=0.0)
    scale = f"the strongest shade is {100 * greatest:.1f} % of the attention"
    label = escape(explanation.label)
    verdict = f'<span class="{label}">{label}</span> {100 * explanation.probability:.1f} %'
    return _REVIEW.format(
        verdict=escape(explanation.notice) if explanation.notice else verdict,
        pieces="".join(_marked_up(piece) for piece in pieces),
        footnote="; ".join([scale, *notes(explanation, pieces)]),
    )


def _marked_up(piece: Piece) -> str:
    text = escape(piece.text)
    if not piece.read:
        return f"<s>{text}</s>"
    if piece.attention is None:
        return text
    style, share = f'style="--strength: {piece.strength:.3f}"', f"{100 * piece.attention:.2f} %"
    if piece.known:
        return f'<span {style} title="{share}">{text}</span>'
    return f'<span class="unknown" {style} title="{share}, {UNKNOWN}">{text}</span>'

"""Explanations as a web page: one file without scripts or external resources."""

from collections.abc import Iterable
from html import escape
from typing import Final

from imdb_core.provenance import sample_notice
from serving.client.results import Explanation
from serving.client.shading import UNKNOWN, WHERE_IT_LOOKED, Piece, effects_legend, notes, shaded
from serving.look import STYLE, marked_code

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Where the model looked</title>
<style>{style}
article {{ margin-top: 1.25rem; }}
h2 {{ margin: 0 0 .5rem; font-size: 1.35rem; line-height: 1.3; }}
small {{ display: block; margin-top: .9rem; }}
.lead {{ margin: 0 0 1rem; color: var(--soft); }}
.effects {{ margin-top: 1.1rem; }}
.review .raises {{ background: rgb(46 160 67 / calc(var(--weight) * .5)); }}
.review .lowers {{ background: rgb(218 54 51 / calc(var(--weight) * .5)); }}
</style>
</head>
<body>
<h1>Where the model looked</h1>
<div class="lead">{lead}</div>
{banners}{reviews}
</body>
</html>
"""
_REVIEW: Final = """<article class="card">
<h2>{verdict}</h2>
<p class="review" dir="auto">{pieces}</p>
<small>{footnote}</small>{effects}
</article>"""
_EFFECTS: Final = """
<p class="review effects" dir="auto">{pieces}</p>
<small>{legend}</small>"""


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
        lead=WHERE_IT_LOOKED,
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
        effects="" if explanation.effects is None else _effects(explanation, pieces),
    )


def _effects(explanation: Explanation, pieces: Iterable[Piece]) -> str:
    return _EFFECTS.format(
        pieces="".join(_with_effect(piece) for piece in pieces), legend=escape(effects_legend(explanation))
    )


def _with_effect(piece: Piece) -> str:
    text = escape(piece.text)
    if not piece.read:
        return f"<s>{text}</s>"
    if piece.effect is None:
        return text
    direction, change = "raises" if piece.effect > 0 else "lowers", f"{100 * piece.effect:+.1f} points"
    return f'<span class="{direction}" style="--weight: {piece.weight:.3f}" title="{change}">{text}</span>'


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

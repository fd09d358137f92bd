"""The style that all pages of this package share: light and dark colours, reviews and the shades of their words."""

from html import escape
from importlib import resources
from typing import Final

STYLE: Final = resources.files(__name__).joinpath("style.css").read_text(encoding="utf-8")


def marked_code(sentence: str) -> str:
    """Returns a sentence as HTML, in which what stands between backticks is code."""
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))

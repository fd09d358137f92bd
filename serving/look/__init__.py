"""The style that all pages of this package share: light and dark colours, reviews and the shades of their words."""

from importlib import resources
from typing import Final

STYLE: Final = resources.files(__name__).joinpath("style.css").read_text(encoding="utf-8")

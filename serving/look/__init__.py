"""The look that all pages of this package share: colours for light and dark, a review, and its shades."""

from importlib import resources
from typing import Final

STYLE: Final = resources.files(__name__).joinpath("style.css").read_text(encoding="utf-8")

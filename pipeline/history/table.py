"""A table of text, for the terminal and for Markdown."""

from typing import NamedTuple


class Table(NamedTuple):
    """A table.

    Attributes:
        title: of it.
        columns: titles; the first column is text, the others are figures.
        rows: as many cells as `columns` each.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]

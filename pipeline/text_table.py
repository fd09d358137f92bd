"""A table of text that is drawn in the terminal and written as Markdown."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.table import Table


class TextTable(NamedTuple):
    """A table of text."""

    title: str
    columns: list[str]  # the headings; the first column holds text, the others hold figures
    rows: list[list[str]]  # as many cells in each row as there are columns

    def drawn(self, columns: Sequence[int] | None = None) -> Table:
        """Draws the table for the terminal: the columns with these indices, or all columns."""
        shown = range(len(self.columns)) if columns is None else columns
        table = Table(title=self.title, title_justify="left")
        for index in shown:
            table.add_column(self.columns[index], justify="right" if index else "left")
        for row in self.rows:
            table.add_row(*(row[index] for index in shown))
        return table

    def markdown(self, level: int = 3) -> Iterator[str]:
        """Yields the table as lines of Markdown, under a heading of the given level."""
        yield f"{'#' * level} {self.title}"
        yield ""
        yield f"| {' | '.join(self.columns)} |"
        yield f"|{'|'.join(['---', *['---:'] * (len(self.columns) - 1)])}|"
        for row in self.rows:
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
        yield ""

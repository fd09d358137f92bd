"""A run on a terminal: one row a node, redrawn as it goes."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.running.board import ENDED, Board, Row, clock
from pipeline.running.plain_view import PlainView

# What a run may print beside its summary; together they are at most two dozen lines.
RUN_LINES: Final = 8

_REFRESHES: Final = 8
_BAR: Final = 16
_WIDE: Final = 90
_TIME: Final = 7
_FOLD: Final = len("999 to come")
# Rows that are no nodes: the heading, the two folds, the sum, and the cursor's.
_FRAME: Final = 5
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS: Final = {"pending": ("·", "-"), "done": ("✓", "+"), "cached": ("✓", "+"), "unfinished": ("✗", "x")}
_STYLES: Final = {"pending": "dim", "done": "green", "cached": "dim green", "unfinished": "bold red"}


class LiveView(logging.Handler):
    """Draws all nodes with state, time and how far they are.

    Args:
        console: of a terminal; it is resized as the terminal is.
        nodes: ids of all nodes.
    """

    def __init__(self, console: Console, nodes: Sequence[str]) -> None:
        super().__init__(logging.DEBUG)
        self._console = console
        self._guard = threading.Lock()
        self._board = Board(nodes)
        self._is_ascii = not console.encoding.startswith("utf")
        self._began = time.monotonic()
        self._is_over = False
        self._live = Live(
            console=console,
            get_renderable=self._drawn,
            refresh_per_second=_REFRESHES,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        """Begins to draw."""
        self._live.start(refresh=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record of the progress logger; the next picture shows it."""
        with self._guard:
            self._board.take(record, time.monotonic())

    def finish(self) -> None:
        """Leaves the last picture, all nodes in it, and gives the cursor back."""
        self._is_over = True
        self._live.stop()

    def _drawn(self) -> Group:
        with suppress(OSError):
            size = os.get_terminal_size(self._console.file.fileno())
            if size.columns and size.lines:
                self._console.size = size
        with self._guard:
            now = time.monotonic()
            rows, before, after = self._window()
            longest = max((len(row.node) for row in self._board.rows), default=0)
            table = Table.grid(padding=(0, 1), expand=True)
            table.add_column(width=1)
            table.add_column(
                width=min(max(longest, _FOLD), self._console.width // 2), no_wrap=True, overflow="ellipsis"
            )
            table.add_column(width=_TIME, justify="right", no_wrap=True)
            table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
            if before:
                table.add_row(self._mark("done"), f"{before} before", "", "", style="dim")
            for row in rows:
                table.add_row(*self._row(row, now))
            if after:
                table.add_row(self._mark("pending"), f"{after} to come", "", "", style="dim")
            return Group(table, self._sum(now))

    def _window(self) -> tuple[list[Row], int, int]:
        """The rows that fit, and how many are left out before and after them."""
        rows = self._board.rows
        room = max(self._console.size.height - _FRAME, 1)
        if self._is_over or len(rows) <= room:
            return rows, 0, 0
        ended = sum(row.state in ENDED for row in rows)
        # The node that runs stands a third down, so that what comes next is seen too.
        start = min(max(ended - room // 3, 0), len(rows) - room)
        return rows[start : start + room], start, len(rows) - room - start

    def _row(self, row: Row, now: float) -> tuple[Text, Text, Text, Text]:
        name = Text(row.node, style="dim" if row.state == "pending" else "bold" if row.state == "running" else "")
        took = "" if row.state == "pending" else "cached" if row.state == "cached" else clock(row.elapsed(now))
        detail = Text(row.detail())
        if row.state == "running":
            detail = self._bar(row) + detail
        elif row.state == "unfinished":
            detail = Text("did not finish", "red")
        else:
            detail.stylize("dim")
        return self._mark(row.state), name, Text(took, style="dim" if row.state == "cached" else ""), detail

    def _mark(self, state: str) -> Text:
        if state == "running":
            frames = "|/-\\" if self._is_ascii else _SPINNER
            return Text(frames[int(time.monotonic() * _REFRESHES) % len(frames)], "cyan")
        return Text(_MARKS[state][self._is_ascii], _STYLES[state])

    def _bar(self, row: Row) -> Text:
        steps = row.steps
        if steps is None or row.message or not steps.total or self._console.width < _WIDE:
            return Text()
        full = min(_BAR * steps.done // steps.total, _BAR)
        line, rest = ("#", ".") if self._is_ascii else ("━", "─")
        return Text.assemble((line * full, "cyan"), (rest * (_BAR - full), "dim"), " ")

    def _sum(self, now: float) -> Text:
        states = [row.state for row in self._board.rows]
        ended = sum(state in ENDED for state in states)
        cached = f", {states.count('cached')} of them cached" if "cached" in states else ""
        note = f"  {self._board.note}" if self._board.note else ""
        text = f"{ended} of {len(states)} nodes{cached}  {clock(now - self._began)}{note}"
        return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


@contextmanager
def run_view(terminal: TextIO, nodes: Sequence[str], log_file: Path, max_lines: int) -> Iterator[logging.Handler]:
    """Shows a run: live on a terminal, else as plain lines.

    Args:
        terminal: to write to.
        nodes: ids of all nodes, in their order.
        log_file: its path is shown.
        max_lines: of the plain lines.

    Returns:
        What takes the records of the progress logger.
    """
    console = Console(file=terminal, highlight=False)
    heading = f"{len(nodes)} nodes; the full log is {log_file}"
    view: LiveView | PlainView
    if terminal.isatty() and console.is_interactive:
        console.print(heading, style="dim", soft_wrap=True)
        view = LiveView(console, nodes)
    else:
        view = PlainView(terminal, nodes, heading, max_lines)
    view.start()
    try:
        yield view
    finally:
        view.finish()

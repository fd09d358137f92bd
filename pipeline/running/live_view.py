"""Shows a run on a terminal: one row per node, redrawn while the run goes on."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.running.board import ENDED, Board, NodeProgress, clock
from pipeline.running.plain_view import PlainView

# The progress lines of a run in a pipe; together with its outcome they are at most two dozen lines.
RUN_LINES: Final = 8

_REFRESHES: Final = 8
_BAR: Final = 16
# The width of a terminal from which on there is room for bars.
_WIDE: Final = 90
_TIME: Final = 7
_FOLD: Final = len("999 to come")
# Lines that show no node: the heading, the two folds, the sum, and the line of the cursor.
_FRAME: Final = 5
_MARKS: Final = {"pending": ("·", "-"), "done": ("✓", "+"), "cached": ("✓", "+"), "unfinished": ("✗", "x")}
_MARK_STYLES: Final = {"pending": "dim", "done": "green", "cached": "dim green", "unfinished": "bold red"}
_NAME_STYLES: Final = {"pending": "dim", "running": "bold"}
_DETAIL_STYLES: Final = {"running": "", "unfinished": "red"}


class LiveView(logging.Handler):
    """Draws all nodes with their state, time and progress on a terminal, and is resized with it."""

    def __init__(self, console: Console, nodes: Sequence[str]) -> None:
        super().__init__(logging.DEBUG)
        self._console = console
        self._guard = threading.Lock()
        self._board = Board(nodes)
        self._is_ascii = console.options.ascii_only
        self._spinner = Spinner("line" if self._is_ascii else "dots", style="cyan")
        self._began = time.monotonic()
        self._is_over = False
        self._live = Live(
            console=console,
            get_renderable=self.picture,
            refresh_per_second=_REFRESHES,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        """Starts to draw."""
        self._live.start(refresh=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Handles a record of the progress logger; the next picture shows it."""
        with self._guard:
            self._board.update(record, time.monotonic())

    def finish(self) -> None:
        """Leaves the last picture with all nodes on the terminal, and shows the cursor again."""
        self._is_over = True
        self._live.stop()

    def picture(self) -> Group:
        """Draws the current state of the run, in the current size of the terminal."""
        # rich looks for the size at the standard streams, which may be redirected.
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
                table.add_row(self._mark("done"), f"{before} before", style="dim")
            for row in rows:
                name = Text(row.node, _NAME_STYLES.get(row.state, ""))
                table.add_row(self._mark(row.state), name, _duration(row, now), self._detail(row))
            if after:
                table.add_row(self._mark("pending"), f"{after} to come", style="dim")
            return Group(table, self._sum(now))

    def _window(self) -> tuple[list[NodeProgress], int, int]:
        """Returns the rows that fit, and the number of rows left out before and after them."""
        rows = self._board.rows
        room = max(self._console.size.height - _FRAME, 1)
        if self._is_over or len(rows) <= room:
            return rows, 0, 0
        ended = sum(row.state in ENDED for row in rows)
        # Keeps the running node in the upper third, so that the next nodes are visible too.
        start = min(max(ended - room // 3, 0), len(rows) - room)
        return rows[start : start + room], start, len(rows) - room - start

    def _mark(self, state: str) -> RenderableType:
        return self._spinner if state == "running" else Text(_MARKS[state][self._is_ascii], _MARK_STYLES[state])

    def _detail(self, row: NodeProgress) -> RenderableType:
        detail = Text(row.detail(), _DETAIL_STYLES.get(row.state, "dim"))
        steps = row.steps
        has_bar = row.state == "running" and not row.message and self._console.width >= _WIDE
        if steps is None or not steps.total or not has_bar:
            return detail
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=_BAR)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        grid.add_row(ProgressBar(steps.total, steps.done, _BAR, complete_style="cyan", finished_style="cyan"), detail)
        return grid

    def _sum(self, now: float) -> Text:
        states = [row.state for row in self._board.rows]
        ended = sum(state in ENDED for state in states)
        cached = f", {states.count('cached')} of them cached" if "cached" in states else ""
        note = f"  {self._board.note}" if self._board.note else ""
        text = f"{ended} of {len(states)} nodes{cached}  {clock(now - self._began)}{note}"
        return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


@contextmanager
def run_view(terminal: TextIO, nodes: Sequence[str], log_file: Path, max_lines: int) -> Iterator[logging.Handler]:
    """Shows a run, live on a terminal and otherwise as plain lines; yields the handler of the progress records.

    Args:
        terminal: The stream to write to.
        nodes: Ids of all nodes, in their order.
        log_file: The log file, whose path is shown.
        max_lines: The maximum number of plain lines.
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


def _duration(row: NodeProgress, now: float) -> Text:
    if row.state == "cached":
        return Text("cached", "dim")
    return Text("" if row.state == "pending" else clock(row.elapsed(now)))

"""Shows a run as a limited number of plain lines, for pipes and files."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final, TextIO

from imdb_core.progress import EVENT, Note
from pipeline.running.board import ENDED, Board, NodeProgress, clock

# The longest time without output.
_QUIET_SECONDS: Final = 25.0
_TICK_SECONDS: Final = 1.0
# Lines kept back for events that get a line of their own: the end of each training, and of the run.
_RESERVED: Final = 4


class CappedLines:
    """Writes a limited number of lines, at least 1, to a stream; further texts continue the last line."""

    def __init__(self, stream: TextIO, lines: int) -> None:
        self.left = lines  # how many more may be begun
        self._stream = stream
        self._is_open = False

    def write(self, text: str, *, ends: bool = True) -> None:
        """Writes a text with spaces for its line breaks; `ends` ends the line, unless it is the last one."""
        text = " ".join(text.splitlines())
        if not self._is_open:
            self.left -= 1
        self._put(f"; {text}" if self._is_open else text)
        self._is_open = True
        if ends and self.left > 0:
            self.close()

    def close(self) -> None:
        """Ends the current line, if any."""
        if self._is_open:
            self._put("\n")
        self._is_open = False

    def _put(self, text: str) -> None:
        # The reader may have closed the pipe; the run continues without it.
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


class PlainView(logging.Handler):
    """Prints nodes in groups, each training on its own line, and the running nodes at least every half minute.

    Args:
        stream: The stream to write to.
        nodes: Ids of all nodes.
        heading: The first of the lines, of which there are at most `max_lines`.
        max_lines: The maximum number of lines.
        now: A clock that never goes back.
    """

    def __init__(
        self,
        stream: TextIO,
        nodes: Sequence[str],
        heading: str,
        max_lines: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(logging.DEBUG)
        self._guard = threading.RLock()
        self._board = Board(nodes)
        self._lines = CappedLines(stream, max_lines)
        self._now = now
        self._ended: list[NodeProgress] = []
        self._stop = threading.Event()
        self._ticks = threading.Thread(target=self._watch, daemon=True)
        self._lines.write(heading)
        self._printed = now()

    def start(self) -> None:
        """Starts to watch the clock."""
        self._ticks.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Handles a record of the progress logger."""
        with self._guard:
            row = self._board.update(record, self._now())
            event = getattr(record, EVENT, None)
            if isinstance(event, Note):
                self._print_ended()
                self._print(event.text, ends=True)
            if row is not None and row.state in ENDED:
                self._end(row)
            self.tick()

    def tick(self) -> None:
        """Prints the running nodes, if nothing was printed for a while."""
        with self._guard:
            now = self._now()
            if now - self._printed < _QUIET_SECONDS:
                return
            parts = _described(self._ended)
            parts += [_with_detail(f"{row.node} so far {clock(row.elapsed(now))}", row) for row in self._board.running]
            if parts:
                self._ended.clear()
                self._print(", ".join(parts), ends=self._lines.left > _RESERVED)

    def finish(self) -> None:
        """Prints the nodes that were not printed yet, and ends the last line."""
        self._stop.set()
        if self._ticks.is_alive():
            self._ticks.join()
        self._print_ended()
        self._lines.close()

    def _end(self, row: NodeProgress) -> None:
        if row.epochs:
            self._print_ended()
        self._ended.append(row)
        if row.epochs:
            self._print_ended()

    def _print_ended(self) -> None:
        if self._ended:
            self._print(", ".join(_described(self._ended)), ends=True)
            self._ended.clear()

    def _print(self, text: str, *, ends: bool) -> None:
        self._lines.write(text, ends=ends)
        self._printed = self._now()

    def _watch(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            self.tick()


def _described(rows: Sequence[NodeProgress]) -> list[str]:
    parts = []
    for is_cached, group in groupby(rows, lambda row: row.state == "cached"):
        if is_cached:
            parts.append(f"cached: {', '.join(row.node for row in group)}")
        else:
            parts += [_with_detail(f"{row.node} {clock(row.seconds)}", row) for row in group]
    return parts


def _with_detail(text: str, row: NodeProgress) -> str:
    detail = row.detail()
    return f"{text} ({detail})" if detail else text

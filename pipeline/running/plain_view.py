"""A run as few plain lines, for pipes and files: never more than were allowed, however long it takes."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final, TextIO

from imdb_core.progress import EVENT, Note
from pipeline.running.board import ENDED, Board, Row, clock

# The longest time without a word.
_QUIET_SECONDS: Final = 25.0
_TICK_SECONDS: Final = 1.0
# Lines kept for what has to have one of its own: the end of each training, and of the run.
_RESERVED: Final = 4


class CappedLines:
    """Writes lines to a stream, up to a number; what comes after them goes on in the last one.

    Args:
        stream: to write to.
        lines: at most so many, at least 1.
    """

    def __init__(self, stream: TextIO, lines: int) -> None:
        self.left = lines
        self._stream = stream
        self._is_open = False

    def write(self, text: str, *, ends: bool = True) -> None:
        """Writes a text, and ends the line after it if it is not the last.

        Args:
            text: becomes one line, whatever it holds.
            ends: false: what is written next may go on in the same line.
        """
        text = " ".join(text.splitlines())
        if not self._is_open:
            self.left -= 1
        self._put(f"; {text}" if self._is_open else text)
        self._is_open = True
        if ends and self.left > 0:
            self.close()

    def close(self) -> None:
        """Ends the line that was begun."""
        if self._is_open:
            self._put("\n")
        self._is_open = False

    def _put(self, text: str) -> None:
        # Who reads may have gone; the run goes on.
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


class PlainView(logging.Handler):
    """Tells of nodes in groups, of each training by itself, and of what runs at least each half minute.

    Args:
        stream: to write to.
        nodes: ids of all nodes.
        heading: the first line.
        max_lines: for all, the heading included.
        now: a clock that never goes back.
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
        self._ended: list[Row] = []
        self._stop = threading.Event()
        self._ticks = threading.Thread(target=self._watch, daemon=True)
        self._lines.write(heading)
        self._spoke = now()

    def start(self) -> None:
        """Begins to watch the clock."""
        self._ticks.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record of the progress logger."""
        with self._guard:
            row = self._board.take(record, self._now())
            event = getattr(record, EVENT, None)
            if isinstance(event, Note):
                self._tell_ended()
                self._say(event.text, ends=True)
            if row is not None and row.state in ENDED:
                self._end(row)
            self.tick()

    def tick(self) -> None:
        """Says what runs, if nothing was said for long."""
        with self._guard:
            now = self._now()
            if now - self._spoke < _QUIET_SECONDS:
                return
            running = self._board.running
            told = _told(self._ended)
            if running is not None:
                told.append(f"{running.node} so far {clock(running.elapsed(now))}{_in_brackets(running.detail())}")
            if told:
                self._ended.clear()
                self._say(", ".join(told), ends=self._lines.left > _RESERVED)

    def finish(self) -> None:
        """Tells what was not told yet, and ends."""
        self._stop.set()
        if self._ticks.is_alive():
            self._ticks.join()
        self._tell_ended()
        self._lines.close()

    def _end(self, row: Row) -> None:
        if row.epochs:
            self._tell_ended()
        self._ended.append(row)
        if row.epochs:
            self._tell_ended()

    def _tell_ended(self) -> None:
        if self._ended:
            self._say(", ".join(_told(self._ended)), ends=True)
            self._ended.clear()

    def _say(self, text: str, *, ends: bool) -> None:
        self._lines.write(text, ends=ends)
        self._spoke = self._now()

    def _watch(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            self.tick()


def _told(rows: Sequence[Row]) -> list[str]:
    told = []
    for is_cached, group in groupby(rows, lambda row: row.state == "cached"):
        if is_cached:
            told.append(f"cached: {', '.join(row.node for row in group)}")
        else:
            told += [f"{row.node} {clock(row.seconds)}{_in_brackets(_outcome(row))}" for row in group]
    return told


def _outcome(row: Row) -> str:
    return "did not finish" if row.state == "unfinished" else row.detail()


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""

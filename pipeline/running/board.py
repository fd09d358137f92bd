"""Follows the progress of each node of a run, from the records of the progress logger."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from imdb_core import progress
from imdb_core.progress import Added, Ending, EpochEnd, NodeBegan, NodeEnded, Note, Steps

NodeState = Literal["pending", "running"] | Ending
ENDED: Final = get_args(Ending)

_MINUTE: Final = 60


@dataclass
class NodeProgress:
    """The progress of one node."""

    node: str
    state: NodeState = "pending"
    since: float = 0.0  # when it began, on the clock that the board is given
    seconds: float = 0.0  # how long it took, once it has ended
    steps: Steps | None = None  # the last that it reported
    added: int = 0  # sum of its `Added` counts
    epochs: list[EpochEnd] = field(default_factory=list)
    message: str = ""  # its last plain line, if it has reported nothing since

    def elapsed(self, now: float) -> float:
        """Returns for how many seconds the node has run so far, or ran in all."""
        return now - self.since if self.state == "running" else self.seconds

    def detail(self) -> str:
        """Describes on one line how far the node is, or what it achieved."""
        if self.state == "unfinished":
            return "did not finish"
        if self.state in ENDED and self.epochs:
            return self._best()
        if self.message or self.steps is None:
            return self.message
        steps = self.steps
        if self.state in ENDED:
            return f"{steps.done:,} {steps.unit}"
        of = f" of {steps.total:,}" if steps.total is not None else ""
        parts = (steps.stage, progress.shown(steps.metrics), f"{steps.done:,}{of} {steps.unit}")
        return "  ".join(part for part in parts if part)

    def _best(self) -> str:
        measured = [epoch for epoch in self.epochs if progress.EVAL_LOSS in epoch.metrics]
        best = min(measured, key=lambda epoch: epoch.metrics[progress.EVAL_LOSS], default=self.epochs[-1])
        epochs = f"{len(self.epochs)} epoch{'s' * (len(self.epochs) > 1)}"
        what = f"best of {epochs}:" if measured else f"{epochs}, at the end:"
        shown = {name: value for name, value in best.metrics.items() if name.startswith("eval") or not measured}
        return f"{what} {progress.shown(shown)}"


class Board:
    """The progress of all nodes of a run, in the given order of their ids."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.rows = [NodeProgress(node) for node in nodes]
        self.note = ""  # the last one about the work as a whole

    @property
    def running(self) -> list[NodeProgress]:
        """The rows of the nodes that run, in the order in which they began."""
        return sorted((row for row in self.rows if row.state == "running"), key=lambda row: row.since)

    def update(self, record: logging.LogRecord, now: float) -> NodeProgress | None:
        """Applies a record of the progress logger, and returns the row that it belongs to, if any.

        Args:
            record: A record with an event, or with a plain line about the running node.
            now: The time on a clock that never goes back.
        """
        event = getattr(record, progress.EVENT, None)
        if isinstance(event, NodeBegan):
            row = self._row(event.node)
            row.state, row.since = "running", now
            return row
        if isinstance(event, NodeEnded):
            row = self._row(event.node)
            row.state, row.seconds = event.state, event.seconds
            return row
        if isinstance(event, Note):
            self.note = event.text
            return None
        named = getattr(record, progress.NODE, None)
        about = self._row(named) if named else next(reversed(self.running), None)
        if about is not None:
            _advance(about, event, record)
        return about

    def _row(self, node: str) -> NodeProgress:
        row = next((row for row in self.rows if row.node == node), None)
        if row is None:
            row = NodeProgress(node)
            self.rows.append(row)
        return row


def clock(seconds: float) -> str:
    """Formats a duration: `4.2 s`, `1:05`, `2:00:07`."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _advance(row: NodeProgress, event: object, record: logging.LogRecord) -> None:
    if isinstance(event, Steps):
        row.steps = event
    elif isinstance(event, Added):
        row.added += event.count
        row.steps = Steps(row.added, None, event.unit)
    elif isinstance(event, EpochEnd):
        row.epochs.append(event)
        row.steps = _after_epoch(row.steps, event)
    elif record.levelno < logging.INFO:
        return
    # The latest report wins.
    row.message = "" if event else " ".join(record.getMessage().removeprefix(row.node).split())


def _after_epoch(before: Steps | None, event: EpochEnd) -> Steps:
    stage = f"epoch {event.epoch}/{event.epochs}"
    total = before.total if before is not None else None
    return Steps(total or event.epoch, total or event.epochs, before.unit if before else "epochs", stage, event.metrics)

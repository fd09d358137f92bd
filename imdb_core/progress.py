"""What nodes, and who runs them, tell of their work: log records that views can count with.

A plain `logging.getLogger(PROGRESS_LOGGER).info(...)` is fine too; it is shown as the running node's last word.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

# What is logged here reaches the terminal; the rest goes to the log file.
PROGRESS_LOGGER: Final = "imdb_attention.progress"
# The attribute of a log record that holds the event.
EVENT: Final = "progress_event"
# The metric that tells which epoch was the best; the smaller the better.
EVAL_LOSS: Final = "eval loss"

# Of a node: it was executed, an earlier execution was taken, or the run ended within it.
Ending = Literal["done", "cached", "unfinished"]

_logger = logging.getLogger(PROGRESS_LOGGER)


@dataclass(frozen=True)
class Steps:
    """How far a node, or a stage of it, is.

    Attributes:
        done: so far.
        total: to do; None where it is not known.
        unit: of both, such as `reviews`.
        stage: such as `epoch 2/4`, or empty.
        metrics: measured so far, by the name to show.
    """

    done: int
    total: int | None
    unit: str
    stage: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Added:
    """So much more is done; for work in pieces that do not know of each other.

    Attributes:
        count: of this piece.
        unit: such as `reviews`.
    """

    count: int
    unit: str


@dataclass(frozen=True)
class EpochEnd:
    """An epoch of a training has ended.

    Attributes:
        epoch: from 1 on.
        epochs: at most so many.
        metrics: by the name to show; see `EVAL_LOSS`.
    """

    epoch: int
    epochs: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class NodeBegan:
    """A node runs from now on.

    Attributes:
        node: its id.
    """

    node: str


@dataclass(frozen=True)
class NodeEnded:
    """A node runs no more.

    Attributes:
        node: its id.
        seconds: it took.
        state: how it ended.
    """

    node: str
    seconds: float
    state: Ending


@dataclass(frozen=True)
class Note:
    """A word on the work as a whole, such as how much of it is left.

    Attributes:
        text: one line.
    """

    text: str


Event = Steps | Added | EpochEnd | NodeBegan | NodeEnded | Note


def tell(event: Event, message: str | None = None) -> None:
    """Tells the views, and the log too if there is something to read.

    Args:
        event: what happened.
        message: for the log; without one the event is not worth a line of it.
    """
    level = logging.DEBUG if message is None else logging.INFO
    _logger.log(level, "%s", message or event, extra={EVENT: event})


def shown(metrics: Mapping[str, float]) -> str:
    """Writes metrics the way all progress lines have them.

    Args:
        metrics: by name.
    """
    return "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())

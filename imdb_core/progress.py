"""Progress events, which nodes and the runner send to the views as log records.

A plain `logging.getLogger(PROGRESS_LOGGER).info(...)` works too; the views show it as the latest message of the node.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

# Its records are shown in the terminal; all other records go only to the log file.
PROGRESS_LOGGER: Final = "imdb_attention.progress"
# The attribute of a log record that contains the event.
EVENT: Final = "progress_event"
# The attribute with the id of the node that a record is about. Without it, that is the node that began last.
NODE: Final = "progress_node"
# The metric that decides which epoch is the best; lower is better.
EVAL_LOSS: Final = "eval loss"

# How a node ended: it was executed, an earlier execution was reused, or the run ended before it did.
Ending = Literal["done", "cached", "unfinished"]

_logger = logging.getLogger(PROGRESS_LOGGER)


@dataclass(frozen=True)
class Steps:
    """The progress of a node or of one of its stages, such as `epoch 2/4`.

    Attributes:
        total: The number of units, such as `reviews`, in all; None if it is unknown.
        metrics: The metrics so far, by the name to show.
    """

    done: int
    total: int | None
    unit: str
    stage: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Added:
    """Further progress of a node whose work runs in independent parts: the units done since a part's last event."""

    count: int
    unit: str


@dataclass(frozen=True)
class EpochEnd:
    """The end of an epoch, 1-based, of at most `epochs`, with its metrics by the name to show; see `EVAL_LOSS`."""

    epoch: int
    epochs: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class NodeBegan:
    """The start of a node, given by its id."""

    node: str


@dataclass(frozen=True)
class NodeEnded:
    """The end of a node, given by its id, with the seconds that it took and how it ended."""

    node: str
    seconds: float
    state: Ending


@dataclass(frozen=True)
class Note:
    """A remark of one line on the work as a whole, such as the time that is left."""

    text: str


Event = Steps | Added | EpochEnd | NodeBegan | NodeEnded | Note


def tell(event: Event, message: str | None = None) -> None:
    """Sends an event to the views, and a message, if there is one, to the log."""
    level = logging.DEBUG if message is None else logging.INFO
    _logger.log(level, "%s", message or event, extra={EVENT: event})


def pass_on(record: logging.LogRecord, node: str) -> None:
    """Shows a record of another process to the views, as one about a node; its own process has logged it."""
    setattr(record, NODE, node)
    for handler in _logger.handlers:
        if record.levelno >= handler.level:
            handler.handle(record)


def shown(metrics: Mapping[str, float]) -> str:
    """Formats metrics as all progress lines show them."""
    return "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())

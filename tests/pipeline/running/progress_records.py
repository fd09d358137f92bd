"""Log records of the progress logger, made without a logger."""

import logging

from imdb_core.progress import EVENT, NODE, PROGRESS_LOGGER, Event


def record(event: Event | None = None, message: str = "", level: int = logging.INFO) -> logging.LogRecord:
    made = logging.LogRecord(PROGRESS_LOGGER, level, "file.py", 1, "%s", (message,), None)
    if event is not None:
        setattr(made, EVENT, event)
    return made


def about(node: str, event: Event) -> logging.LogRecord:
    made = record(event)
    setattr(made, NODE, node)
    return made

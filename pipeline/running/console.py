"""Keeps the console quiet during a run: a view shows the progress, and everything else goes to the log file."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from absl import logging as absl_logging

from imdb_core.progress import PROGRESS_LOGGER

View = Callable[[TextIO], AbstractContextManager[logging.Handler]]


@contextmanager
def _lines(terminal: TextIO) -> Iterator[logging.Handler]:
    handler = logging.StreamHandler(terminal)
    handler.setLevel(logging.INFO)
    yield handler


@contextmanager
def quiet_console(log_file: Path, *, verbose: bool, view: View = _lines) -> Iterator[None]:
    """Sends everything that libraries log, print or warn to a file; only progress still reaches the terminal.

    Native code writes to the file descriptors, so these are redirected too, not only Python's streams.

    Args:
        log_file: The log file, to which lines are appended.
        verbose: Whether to show everything on the terminal too; then no view is opened.
        view: Opens the handler that shows the records of the progress logger; by default it prints a line for each.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        terminal = stack.enter_context(os.fdopen(os.dup(1), "w", buffering=1, errors="backslashreplace"))
        file_handler = _LogFile(log_file, encoding="utf-8")
        stack.callback(file_handler.close)
        terminal_handler = logging.StreamHandler(terminal)
        handlers: list[logging.Handler] = [file_handler, terminal_handler] if verbose else [file_handler]
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        for handler in handlers:
            handler.setFormatter(formatter)
            handler.setLevel(logging.INFO)

        root, absl, progress = (logging.getLogger(name) for name in (None, "absl", PROGRESS_LOGGER))
        for logger in (root, absl, progress):
            stack.callback(_restore, logger, logger.handlers[:], logger.level, logger.propagate)
        stack.callback(absl_logging.set_verbosity, absl_logging.get_verbosity())
        root.handlers[:] = handlers
        root.setLevel(logging.INFO)
        absl.handlers[:] = []
        absl.propagate = True
        # Set by absl's own call, because TensorFlow saves and restores only what that call has set.
        absl_logging.set_verbosity(absl_logging.INFO)
        progress.setLevel(logging.DEBUG)
        if not verbose:
            _redirect(stack, log_file)
            progress.addHandler(stack.enter_context(view(terminal)))
        stack.enter_context(warnings.catch_warnings())
        stack.callback(logging.captureWarnings, capture=False)
        logging.captureWarnings(capture=True)
        yield


class _LogFile(logging.FileHandler):
    """A log file. If the disk is full it loses lines, which must not hide why the run ended."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Ignores the error, which logging would print to the same full disk."""
        del record

    def close(self) -> None:
        """See logging.FileHandler."""
        with suppress(OSError):
            super().close()


def _redirect(stack: ExitStack, log_file: Path) -> None:
    _flush_streams()
    for descriptor in (1, 2):
        saved = os.dup(descriptor)
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, descriptor)
    stack.callback(_flush_to_log)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _flush_streams() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _flush_to_log() -> None:
    try:
        _flush_streams()
    except OSError:
        # The disk is full. What is pending would reach the terminal later.
        with open(os.devnull, "w") as nowhere:
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
        _flush_streams()


def _restore(logger: logging.Logger, handlers: list[logging.Handler], level: int, propagate: bool) -> None:
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate = propagate

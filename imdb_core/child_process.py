"""Processes that this one starts: a function in a process of its own, and children that never outlive their parent."""

import logging
import logging.handlers
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from typing import IO, Any, Final, TypeVar

from imdb_core import progress

Argument = TypeVar("Argument")
Result = TypeVar("Result")

# Set for a child whose standard input is a pipe that only its parent can write to.
LIFELINE_VARIABLE: Final = "IMDB_LIFELINE"


def run_in_child(function: Callable[[Argument], Result], argument: Argument) -> Result:
    """Calls a function that can be imported by name in a new process, with an argument that can be pickled.

    TensorFlow can neither release a GPU nor use one that it was told to ignore, so a different choice of devices needs
    a different process. The process ends with this one, however this one ends.

    Raises:
        Exception: The exception that the function raised.
        BrokenProcessPool: The process died, for instance because memory ran out.
    """
    context = multiprocessing.get_context("spawn")
    records = context.Queue()
    listener = logging.handlers.QueueListener(records, _Dispatcher())
    listener.start()
    others = set(multiprocessing.active_children())
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=_start, initargs=(records,)) as pool:
            try:
                return pool.submit(function, argument).result()
            except KeyboardInterrupt:
                # Leaving the block would wait for the function's end.
                for child in set(multiprocessing.active_children()) - others:
                    child.kill()
                raise
    finally:
        listener.stop()
        records.close()


def follow_lifeline(stream: IO[bytes]) -> None:
    """Lets this process get SIGTERM when its parent ends, if the parent asked for it.

    Args:
        stream: Standard input. If LIFELINE_VARIABLE is set, it is a pipe that nobody writes to, and its end is the end
            of the parent, even of one that was killed.
    """
    if os.environ.pop(LIFELINE_VARIABLE, None):
        threading.Thread(target=_follow, args=(stream,), daemon=True).start()


def _follow(stream: IO[bytes]) -> None:
    # Not by the stream, whose lock this thread would hold when the interpreter ends, which then aborts.
    while os.read(stream.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


class _Dispatcher(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)


def _start(records: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    root = logging.getLogger()
    root.handlers[:] = [logging.handlers.QueueHandler(records)]
    root.setLevel(logging.INFO)
    logging.getLogger(progress.PROGRESS_LOGGER).setLevel(logging.DEBUG)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)

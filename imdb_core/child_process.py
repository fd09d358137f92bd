"""Runs a function in a process of its own and handles its log records in this one."""

import logging
import logging.handlers
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from imdb_core import progress

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def run_in_child(function: Callable[[Argument], Result], argument: Argument) -> Result:
    """Calls a function that can be imported by name in a new process, with an argument that can be pickled.

    TensorFlow can neither release a GPU nor use one that it was told to ignore, so a different choice of devices needs
    a different process.

    Raises:
        Exception: The exception that the function raised.
        BrokenProcessPool: The process died, for instance because memory ran out.
    """
    context = multiprocessing.get_context("spawn")
    records = context.Queue()
    listener = logging.handlers.QueueListener(records, _Dispatcher())
    listener.start()
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=_send_logs, initargs=(records,)) as pool:
            return pool.submit(function, argument).result()
    finally:
        listener.stop()
        records.close()


class _Dispatcher(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)


def _send_logs(records: Any) -> None:
    root = logging.getLogger()
    root.handlers[:] = [logging.handlers.QueueHandler(records)]
    root.setLevel(logging.INFO)
    logging.getLogger(progress.PROGRESS_LOGGER).setLevel(logging.DEBUG)

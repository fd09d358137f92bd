"""Runs one function in a process of its own, with its log lines brought home."""

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
    """Calls a function in a fresh process and waits for it.

    TensorFlow cannot give a GPU back, nor take one that it was told to leave alone: who wants another view of the
    devices needs another process.

    Args:
        function: importable by name.
        argument: picklable.

    Returns:
        What the function returns.

    Raises:
        Exception: what the function raises.
        BrokenProcessPool: the process died, for want of memory for instance.
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

"""The number of files and connections that the process may have open."""

import asyncio
import errno
import logging
import resource
from typing import Any, Final

# Those of TensorFlow, the libraries, models and logs.
_FILES_BESIDES_CONNECTIONS: Final = 100
# One to gRPC, one to REST, and one that REST refuses.
_FILES_PER_CONNECTION: Final = 3

_LOG: Final = logging.getLogger(__name__)


def allow_connections(wanted: int) -> int:
    """Raises the process's limit of open files as far as the system allows; returns the number of connections that fit.

    Args:
        wanted: Number of connections, to gRPC and as many to REST.

    Returns:
        `wanted`, or fewer, with a warning, where the system allows fewer open files.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, _files(wanted))
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    most = max(1, min(wanted, (hard - _FILES_BESIDES_CONNECTIONS) // _FILES_PER_CONNECTION))
    if most < wanted:
        _LOG.warning(
            "The system allows this process %d open files (ulimit -n), so that gRPC and REST take %d connections "
            "each, not %d (--max_connections)",
            hard,
            most,
            wanted,
        )
    return most


class AcceptWarning:
    """An exception handler of event loops: a lack of files, which asyncio waits for, is one line in a minute."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, problem: dict[str, Any]) -> None:
        """Logs a problem of the loop."""
        error = problem.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(problem)
        elif loop.time() >= self._next:
            self._next = loop.time() + 60
            _LOG.warning("New connections wait, because this process may not open more files (ulimit -n)")


def _files(connections: int) -> int:
    return _FILES_BESIDES_CONNECTIONS + _FILES_PER_CONNECTION * connections

"""Processes that start in an instant: copies of one that has imported everything and done nothing yet.

A process that has started TensorFlow, or threads of any kind, cannot safely be copied. So a server is copied first, and
copies itself again for each task. It does nothing else, and so it never has more than one thread.
"""

import functools
import gc
import itertools
import logging
import logging.handlers
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, cast

import psutil

from imdb_core import progress
from imdb_core.errors import RunError

_FORK: Final = b"fork"
_GRACE_SECONDS: Final = 10.0
_MEMORY: Final = (
    "if that was the system because memory ran out, the kernel's log says so: run fewer nodes at once with "
    "run.jobs = 1, or give the machine more memory"
)
_NO_SERVER: Final = f"the process that starts the nodes was killed; {_MEMORY}; otherwise see the end of the log"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What a process does.

    Attributes:
        function: A function at the top level of a module that the server has imported.
        argument: Its argument, which can be pickled.
        environ: Environment variables to set before.
        niceness: By how much other processes go first; see `os.nice`.
    """

    function: Callable[[Any], Any]
    argument: Any
    environ: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0


class ForkServer:
    """Runs functions in processes of their own, any number at once. All of them end with this process, however it ends.

    Enter it as a context manager before this process starts a thread or uses TensorFlow.

    Args:
        prepare: Called once in the server, and so in effect for all its processes.
    """

    def __init__(self, prepare: Callable[[], object]) -> None:
        self._prepare = prepare
        self._guard = threading.Lock()

    def __enter__(self) -> "ForkServer":
        """Starts the server.

        Raises:
            Exception: What `prepare` raised.
            RunError: The server died.
        """
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        # Only this process can write to it. It never does, so that its end is the end of this process.
        lifeline, ours = os.pipe()
        self._lifeline: int | None = ours
        outcome, its_outcome = Pipe(duplex=False)

        def serve() -> None:
            self._control.close()
            os.close(ours)
            outcome.close()
            _ignore_signals()
            with its_outcome:
                try:
                    self._prepare()
                except Exception as error:
                    its_outcome.send(_portable(error))
                    return
                its_outcome.send([])
            _serve(control, lifeline)

        self._server = _fork(serve)
        control.close()
        os.close(lifeline)
        its_outcome.close()
        try:
            with outcome:
                errors = outcome.recv()
        except EOFError:
            errors = [RunError(_NO_SERVER)]
        except BaseException:
            self.end()
            raise
        if errors:
            self.end()
            raise _chained(errors)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the server and all its processes."""
        self.end()

    def end(self) -> None:
        """Ends the server, its processes and theirs, if that has not happened yet. Running tasks raise RunError."""
        with self._guard:
            if self._lifeline is None:
                return
            others: list[psutil.Process] = []
            with suppress(psutil.Error):
                others = psutil.Process(self._server).children(recursive=True)
            self._control.close()
            os.close(self._lifeline)
            self._lifeline = None
        # What they have started, such as a server, may take a moment to stop.
        for process in psutil.wait_procs(others, timeout=_GRACE_SECONDS)[1]:
            with suppress(psutil.Error):
                process.kill()
        # It ends after its processes.
        with suppress(ChildProcessError):
            os.waitpid(self._server, 0)

    def run(
        self, task: Task, *, on_start: Callable[[int], None], on_record: Callable[[logging.LogRecord], None]
    ) -> Any:
        """Runs a task and returns what its function returns, which can be pickled.

        Args:
            task: The task.
            on_start: Called with the id of the process.
            on_record: Called with each record of the progress logger there.

        Raises:
            Exception: The exception that the function raised, with its causes.
            RunError: The process died, for instance because memory ran out, or could not be started.
        """
        ours, theirs = Pipe()
        with ours:
            try:
                with theirs, self._guard:
                    socket.send_fds(self._control, [_FORK], [theirs.fileno()])
            except OSError as error:
                raise RunError(_NO_SERVER) from error
            # If the process could not be started, the answer says why.
            with suppress(ConnectionError):
                ours.send(task)
            while True:
                try:
                    kind, content = ours.recv()
                except (EOFError, ConnectionError) as error:
                    raise RunError(f"its process was killed; {_MEMORY}") from error
                if kind == "pid":
                    on_start(content)
                elif kind == "record":
                    on_record(content)
                elif kind == "result":
                    return content
                else:
                    raise _chained(content)


def _ignore_signals() -> None:
    """Leaves it to the main process to end this one: a terminal sends its signals to both.

    A handler that does nothing, unlike SIG_IGN, is not inherited by commands that this process starts. What the main
    process was told to ignore, as `nohup` does, they ignore too.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _serve(control: socket.socket, lifeline: int) -> None:
    """Forks a process for each message, until the main process ends."""
    # What was imported stays. The copies freeze it: looking through it, in each of them, would unshare its memory.
    gc.collect()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, len(_FORK), 1)
        if not message:
            _collect(0)
            return
        _collect(os.WNOHANG)
        (descriptor,) = descriptors
        os.set_inheritable(descriptor, False)
        with Connection(descriptor) as connection:
            try:
                _fork(functools.partial(_work, control, connection, lifeline))
            except OSError as error:
                _log.exception("no process could be started")
                with suppress(OSError):
                    connection.send(("error", [_not_started(error)]))


def _fork(work: Callable[[], object]) -> int:
    """Starts a copy of this process that does some work and ends, and returns its id.

    The copy does not do what this process has planned for its own end.
    """
    # What is pending belongs to this process alone.
    _flush_streams()
    process = os.fork()
    if process:
        return process
    # Only the original may finalize its garbage: TensorFlow's waits for threads, which were not copied, and so forever.
    gc.freeze()
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        # The server's log, to which its standard error goes.
        traceback.print_exc()
    finally:
        _flush_streams()
        os._exit(status)


def _flush_streams() -> None:
    """Writes what was printed, if it can be written: to a file or a pipe that is not done line by line."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _not_started(error: OSError) -> RunError:
    return RunError(
        f"its process cannot be started ({error}); run fewer nodes at once with run.jobs = 1, or allow more processes "
        "or memory"
    )


def _collect(options: int) -> None:
    """Takes leave of ended processes, whose CPU time then counts as that of this one, and so of the main process."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _work(control: socket.socket, connection: Connection, lifeline: int) -> None:
    control.close()
    threading.Thread(target=_end_with_main_process, args=(lifeline,), daemon=True).start()
    connection.send(("pid", os.getpid()))
    logging.getLogger(progress.PROGRESS_LOGGER).handlers[:] = [_Sender(cast(Any, connection))]
    task: Task = connection.recv()
    os.environ.update(task.environ)
    os.nice(task.niceness)
    try:
        answer = ("result", task.function(task.argument))
    except BaseException as error:
        _log.exception("the task of this process failed")
        answer = ("error", _portable(error))
    # Before the main process goes on and prints too.
    _flush_streams()
    connection.send(answer)
    logging.shutdown()


def _end_with_main_process(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


class _Sender(logging.handlers.QueueHandler):
    """Sends records to the main process."""

    queue: Any  # a connection

    def enqueue(self, record: logging.LogRecord) -> None:
        """See logging.handlers.QueueHandler."""
        self.queue.send(("record", record))


def _portable(error: BaseException) -> list[Exception]:
    """Returns an error and its causes, each as an exception that can be pickled and does not end the main process."""
    found: list[Exception] = []
    following: BaseException | None = error
    while following is not None:
        found.append(_copy(following))
        following = following.__cause__ or following.__context__
    return found


def _copy(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        with suppress(Exception):
            copy: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
            return copy
    return RuntimeError(f"{type(error).__name__}: {error}")


def _chained(errors: list[Exception]) -> Exception:
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]

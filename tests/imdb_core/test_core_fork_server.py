import errno
import gc
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from imdb_core.disk import is_full_disk
from imdb_core.errors import BadDataError, RunError
from imdb_core.fork_server import ForkServer, Task
from imdb_core.progress import PROGRESS_LOGGER


def nothing(*_: object) -> None:
    """For tests that do not look at processes or records."""


def children() -> set[psutil.Process]:
    """The processes of this one; tests that ran before may have left some, such as multiprocessing's tracker."""
    return set(psutil.Process().children())


def run(server: ForkServer, function, argument=None, **options):
    return server.run(Task(function, argument, **options), on_start=nothing, on_record=nothing)


@pytest.fixture
def server():
    with ForkServer(nothing) as server:
        yield server


def process_id(_: None) -> int:
    return os.getpid()


def test_a_function_runs_in_a_process_of_its_own(server):
    started = []
    first = server.run(Task(process_id, None), on_start=started.append, on_record=nothing)
    second = run(server, process_id)
    assert started == [first]
    assert len({first, second, os.getpid()}) == 3
    assert run(server, os.path.basename, "folder/file") == "file"


def test_what_the_main_process_left_as_garbage_is_not_finalized_in_others(tmp_path):
    class Finalized:
        """TensorFlow's and gRPC's objects wait for threads when they go, and a copied process does not have those."""

        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            (tmp_path / str(os.getpid())).touch()

    gc.collect()
    gc.disable()
    try:
        Finalized()
        with ForkServer(gc.collect) as server:
            run(server, collected)
        assert list(tmp_path.iterdir()) == []
    finally:
        gc.enable()
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == [str(os.getpid())]


def collected(_: None) -> int:
    return gc.collect()


def variable(name: str) -> tuple[str | None, int]:
    return os.environ.get(name), os.nice(0)


def test_it_has_the_variables_and_the_niceness_of_its_task_alone(server):
    assert run(server, variable, "SOME_VARIABLE", environ={"SOME_VARIABLE": "7"}, niceness=3) == ("7", os.nice(0) + 3)
    assert run(server, variable, "SOME_VARIABLE") == (None, os.nice(0))


def chained(_: None) -> None:
    try:
        raise BadDataError("the data is bad")
    except BadDataError as error:
        raise ValueError("wrapped") from error


def unpicklable(_: None) -> None:
    class Odd(Exception):  # noqa: N818 - not an error of the project
        pass

    raise Odd("cannot be sent")


def test_an_exception_comes_back_with_its_cause(server):
    with pytest.raises(ValueError, match="wrapped") as raised:
        run(server, chained)
    assert isinstance(raised.value.__cause__, BadDataError)
    with pytest.raises(RuntimeError, match="Odd: cannot be sent"):
        run(server, unpicklable)
    with pytest.raises(FileNotFoundError) as missing:
        run(server, os.listdir, "nowhere")
    assert missing.value.errno == 2


def refuse_connection(_: None) -> None:
    raise ConnectionRefusedError("by a host")


def test_a_connection_that_a_task_loses_is_not_that_to_its_process(server):
    with pytest.raises(ConnectionRefusedError, match="by a host"):
        run(server, refuse_connection)


def interrupt(_: None) -> None:
    raise KeyboardInterrupt("by hand")


def end(status: object) -> None:
    raise SystemExit(status)


@pytest.mark.parametrize(("function", "argument"), [(end, 0), (end, "no more"), (interrupt, None)])
def test_what_would_end_the_main_process_comes_back_as_an_error(server, function, argument):
    with pytest.raises(RuntimeError, match=f"SystemExit: {argument}|KeyboardInterrupt: by hand"):
        run(server, function, argument)


def tell(text: str) -> None:
    logging.getLogger(PROGRESS_LOGGER).warning("told %s", text)
    logging.getLogger("other").warning("not sent")


def test_records_of_the_progress_logger_come_back(server):
    records: list[logging.LogRecord] = []
    server.run(Task(tell, "here"), on_start=nothing, on_record=records.append)
    assert [record.getMessage() for record in records] == ["told here"]


def kill_itself(_: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_an_error_and_leaves_the_others_alone(server):
    with pytest.raises(RunError, match=r"its process was killed.*run\.jobs = 1"):
        run(server, kill_itself)
    assert run(server, os.path.basename, "still/there") == "there"


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_several_run_at_once(server):
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda seconds: run(server, sleep, seconds), [1.0] * 8)) == [1.0] * 8
    assert time.monotonic() - started < 7  # eight seconds one after the other


def test_the_end_of_the_server_ends_its_processes():
    started = []
    with ForkServer(nothing) as server, ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.run, Task(sleep, 60.0), on_start=started.append, on_record=nothing)
        wait_until(lambda: started)
        server.end()
        with pytest.raises(RunError):
            running.result(20)
    wait_until(lambda: is_gone(started[0]))


SIGNALS = """
import signal
for number in (signal.SIGINT, signal.SIGHUP):
    print(signal.getsignal(number) == signal.SIG_IGN)
"""


def ignored_signals(_: None) -> list[str]:
    """Whether a command that a task starts ignores each signal."""
    return subprocess.run([sys.executable, "-c", SIGNALS], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("ignored", [[], [signal.SIGHUP], [signal.SIGINT, signal.SIGHUP]])
def test_commands_of_a_task_ignore_what_the_main_process_was_told_to_ignore(ignored):
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    try:
        with ForkServer(nothing) as server:
            found = run(server, ignored_signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert found == [str(number in ignored) for number in (signal.SIGINT, signal.SIGHUP)]


PRINTING = """
import sys
from imdb_core.fork_server import ForkServer, Task
def work(text):
    print(text)
    raise ValueError(text)
print("before")
with ForkServer(lambda: print("prepared")) as server:
    for text in "ab":
        try:
            server.run(Task(work, text), on_start=lambda _: None, on_record=lambda _: None)
        except ValueError:
            print("after", text)
            sys.stdout.flush()
"""


def test_what_a_task_prints_is_written_once_and_in_order():
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.splitlines() == ["before", "prepared", "a", "after a", "b", "after b"]


def inherited(_: None = None) -> list[int]:
    """The files that commands of this process get, beside the three streams."""
    found = []
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # that of the folder itself is closed again
            if descriptor > 2 and os.get_inheritable(descriptor):
                found.append(descriptor)
    return found


def test_commands_of_a_task_get_no_file_of_its_process(server):
    assert run(server, inherited) == inherited()


prepared: list[int] = []


def preparations(_: None) -> list[int]:
    return prepared


def test_the_server_prepares_its_processes_once():
    with ForkServer(lambda: prepared.append(os.getpid())) as server:
        first, second = run(server, preparations), run(server, preparations)
    assert first == second
    assert len(first) == 1
    assert first != [os.getpid()]
    assert prepared == []


def test_a_server_that_was_killed_is_an_error_that_says_so():
    before = children()
    with ForkServer(nothing) as server:
        (process,) = children() - before
        process.kill()
        wait_until(lambda: is_gone(process.pid))
        for _ in range(2):
            with pytest.raises(RunError, match=r"the process that starts the nodes was killed.*run\.jobs = 1"):
                run(server, process_id)


def test_a_server_that_has_ended_runs_nothing_more():
    with ForkServer(nothing) as server:
        server.end()
        with pytest.raises(RunError, match="starts the nodes"):
            run(server, process_id)


def fill_the_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run.log")


def test_an_error_while_the_server_prepares_is_raised_and_leaves_no_process():
    before = children()
    with pytest.raises(OSError, match=r"run\.log") as raised, ForkServer(fill_the_disk):
        pass
    assert is_full_disk(raised.value)
    with pytest.raises(RunError, match="starts the nodes was killed"), ForkServer(lambda: kill_itself(None)):
        pass
    assert children() <= before


def refuse_one_fork() -> None:
    fork = os.fork

    def refused() -> int:
        os.fork = fork
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    os.fork = refused


def test_a_process_that_cannot_be_started_is_an_error_and_the_next_one_starts():
    with ForkServer(refuse_one_fork) as server:
        with pytest.raises(RunError, match=r"cannot be started.*temporarily unavailable.*run\.jobs = 1"):
            run(server, process_id)
        assert run(server, os.path.basename, "still/there") == "there"


BROKEN = """
from imdb_core.errors import RunError
from imdb_core.fork_server import ForkServer, Task
def work(_):
    return lambda: None  # cannot be sent
with ForkServer(lambda: None) as server:
    try:
        server.run(Task(work, None), on_start=lambda _: None, on_record=lambda _: None)
    except RunError as error:
        print(error)
"""


def test_what_ends_a_process_beside_its_task_is_in_the_log():
    done = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, check=True)
    assert "its process was killed" in done.stdout
    assert "Can't pickle" in done.stderr


MAIN = """
import os, sys, time
from imdb_core.fork_server import ForkServer, Task
from imdb_core.stopping import Stopped, stopped_by_signals
def work(path):
    with open(path, "w") as file:
        file.write(f"{os.getpid()} {os.getppid()}")
    time.sleep(60)
try:
    with stopped_by_signals(), ForkServer(lambda: None) as server:
        server.run(Task(work, sys.argv[1]), on_start=lambda _: None, on_record=lambda _: None)
except Stopped as stopped:
    sys.exit(stopped.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_all_processes_end_with_the_main_process_however_that_ends(number, tmp_path):
    ids = tmp_path / "ids"
    main = subprocess.Popen([sys.executable, "-c", MAIN, str(ids)], start_new_session=True)
    wait_until(lambda: ids.exists() and ids.read_text())
    others = [int(process) for process in ids.read_text().split()]
    if number == signal.SIGINT:
        os.killpg(main.pid, number)  # as a terminal does
    else:
        main.send_signal(number)
    assert main.wait(20) == (-number if number == signal.SIGKILL else 128 + number)
    for process in others:
        wait_until(lambda process=process: is_gone(process))


def is_gone(process: int) -> bool:
    return not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE


def wait_until(holds) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)

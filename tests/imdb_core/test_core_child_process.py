import logging
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from imdb_core.child_process import LIFELINE_VARIABLE, run_in_child


def test_the_function_runs_in_another_process_and_its_result_comes_back():
    assert run_in_child(os.path.basename, "folder/file") == "file"
    assert run_in_child(os.getpgid, 0) == os.getpgid(0)
    assert run_in_child(eval, "__import__('os').getpid()") != os.getpid()


def test_an_exception_of_the_function_is_raised():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run_in_child(os.listdir, "nowhere")


def test_log_records_of_the_function_are_handled_here(caplog):
    with caplog.at_level(logging.INFO):
        run_in_child(logging.warning, "from the child")
    assert [record.getMessage() for record in caplog.records] == ["from the child"]


PARENT = """
import os, sys, time
from imdb_core.child_process import run_in_child
from imdb_core.stopping import Stopped, stopped_by_signals
if __name__ == "__main__":
    try:
        with stopped_by_signals():
            run_in_child(exec, os.environ["CODE"])
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_ends_with_its_parent_however_that_ends(number, tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    pid_file = tmp_path / "pid"
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    environ = {**os.environ, "CODE": code}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env=environ)
    wait_until(lambda: pid_file.exists() and pid_file.read_text())
    child = int(pid_file.read_text())
    parent.send_signal(number)
    assert parent.wait(20) == (143 if number == signal.SIGTERM else -number)
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_a_child_follows_its_lifeline():
    code = (
        "import sys, time; from imdb_core.child_process import follow_lifeline\n"
        "follow_lifeline(sys.stdin.buffer); print('on', flush=True); time.sleep(60)"
    )
    for variables, status in (({LIFELINE_VARIABLE: "stdin"}, -signal.SIGTERM), ({}, None)):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"on\n"
        process.stdin.close()
        if status is None:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.kill()
            process.wait()
        else:
            assert process.wait(20) == status
        process.stdout.close()


def wait_until(holds) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)

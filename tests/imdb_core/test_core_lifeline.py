import os
import signal
import subprocess
import sys

import pytest

from imdb_core.lifeline import LIFELINE_VARIABLE


def test_a_child_follows_its_lifeline():
    code = (
        "import sys, time; from imdb_core.lifeline import follow_lifeline\n"
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

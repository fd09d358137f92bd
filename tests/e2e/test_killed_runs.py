"""Runs that are killed at random moments; a hundred of them take an hour.

KILLS=100 python -m pytest -s -o faulthandler_timeout=0 tests/e2e/test_killed_runs.py
"""

import os
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from sample_project import FIRST_RUN, TFX_RUN, Project

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("KILLS", "0"))
# Nearly as long as a whole run takes; a run that was killed has less left to do.
LONGEST_SECONDS = 45.0


def left_behind(project: Project) -> list[str]:
    """The command lines of processes that still work in the project's folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        if process.info["cwd"] == str(project.root) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(process.info["cmdline"] or ()))
    return found


def executions(database: Path) -> dict[str, int]:
    """Node → number of its executions that completed without the cache."""
    query = """
        select context.name, count(*) from Execution
        join Association on Association.execution_id = Execution.id
        join Context as context on context.id = Association.context_id
        join Type on Type.id = context.type_id
        where Type.name = 'node' and Execution.last_known_state = 3
        group by context.name
    """
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        return {name.partition(".")[2]: count for name, count in connection.execute(query)}


def check_end(project: Project, first: dict) -> None:
    record = project.last_record()
    assert record["selection"] == first["selection"]
    assert record["champion"] == first["champion"]
    (version,) = project.versions()
    assert Path(record["pushed"]["path"]).name == version.name
    completed = executions(project.workspace / "metadata" / "metadata.db")
    assert {node: completed.get(node) for node in FIRST_RUN} == dict.fromkeys(FIRST_RUN, 1)
    deadline = time.monotonic() + 30
    while left_behind(project) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_behind(project) == []


@pytest.mark.skipif(not KILLS, reason="takes half a minute for each kill; KILLS=100 asks for them")
def test_a_run_that_is_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path, first):
    moments = random.Random(15)  # noqa: S311 - moments are no secrets
    killed = runs = 0
    while killed < KILLS:
        runs += 1
        project = Project(tmp_path / str(runs)).make()
        is_done = False
        while not is_done:
            running = subprocess.Popen(
                project.complete(TFX_RUN),
                cwd=project.root,
                env=project.environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            try:
                _, said = running.communicate(timeout=moments.uniform(0, LONGEST_SECONDS) if killed < KILLS else None)
                assert running.returncode == 0, said
                is_done = True
            except subprocess.TimeoutExpired:
                # The main process alone, whose children must notice by themselves, and all of them, in turn.
                if killed % 2:
                    running.kill()
                else:
                    os.killpg(running.pid, signal.SIGKILL)
                running.communicate()
                killed += 1
        check_end(project, first[0])
        print(f"{killed} kills in {runs} runs")

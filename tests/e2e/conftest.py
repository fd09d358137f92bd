import fcntl
import json
from pathlib import Path

import pytest
from sample_project import Project


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "runs"


@pytest.fixture(scope="session")
def project(runs_folder: Path) -> Project:
    return Project(runs_folder)


@pytest.fixture(scope="session")
def first(project: Project) -> tuple[dict, str]:
    """The record of the first run of `project`, and what it printed. The process that needs it first runs it."""
    record = project.folder / "first.json"
    with (project.folder / "first.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            made = project.make().succeed()
            record.write_text(json.dumps([made, project.printed]))
    made, printed = json.loads(record.read_text())
    return made, printed

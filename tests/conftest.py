import os
from collections.abc import Iterator

import browser as browsing
import pytest
from hypothesis import settings
from playwright.sync_api import Browser
from xdist.scheduler import LoadFileScheduling

from imdb_core.start import collect_garbage_rarely, pin_keras

# The tests need the same Keras as the commands, whatever the environment says.
pin_keras(os.environ)
collect_garbage_rarely()
# As the Makefile does: some tests read all that a program writes, and TensorFlow's native lines are not ours.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


# Files whose whole runs build on each other: one process has them all, in this order.
_ONE_STORY = ("test_pipeline_runs.py", "test_report_commands.py", "test_serving_commands.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest tests first, so that no process has them left at the end."""
    items.sort(key=lambda item: (item.get_closest_marker("e2e") is None, item.path.name not in _ONE_STORY))


class _Scheduling(LoadFileScheduling):
    """Gives each process whole files."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "the story" if file.endswith(_ONE_STORY) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Scheduling | None:
    return _Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


# Not for the session: while it runs, its event loop would be in the way of tests that start their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = browsing.chromium()
    if executable is None:
        pytest.skip("no Chromium on PATH, and none can be installed: only root may, with apt-get")
    with browsing.launched(executable) as running:
        yield running

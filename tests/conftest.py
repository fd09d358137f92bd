from collections.abc import Iterator

import browser as browsing
import pytest
from hypothesis import settings
from playwright.sync_api import Browser

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


# Files whose whole runs build on each other: with `--dist loadgroup` one process has them all, in this order.
_ONE_STORY = ("test_pipeline_runs.py", "test_report_commands.py", "test_serving_commands.py")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives each process whole files, the longest first, so that none of them is left at the end."""
    items.sort(key=lambda item: (item.get_closest_marker("e2e") is None, item.path.name not in _ONE_STORY))
    for item in items:
        group = "story" if item.path.name in _ONE_STORY else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


# Not for the session: while it runs, its event loop would be in the way of tests that start their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = browsing.chromium()
    if executable is None:
        pytest.skip("no Chromium on PATH, and none can be installed: only root may, with apt-get")
    with browsing.launched(executable) as running:
        yield running

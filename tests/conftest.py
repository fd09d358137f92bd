from collections.abc import Iterator

import browser as browsing
import pytest
from hypothesis import settings
from playwright.sync_api import Browser

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that of several processes none has them left at the end."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


# Not for the session: while it runs, its event loop would be in the way of tests that start their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = browsing.chromium()
    if executable is None:
        pytest.skip("no Chromium on PATH, and none can be installed: only root may, with apt-get")
    with browsing.launched(executable) as running:
        yield running

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from managed_models import Harness


@pytest.fixture
def h(tmp_path: Path) -> Iterator[Harness]:
    """A harness, whose managers are stopped in the end; everything must be closed then."""
    harness = Harness(tmp_path)
    yield harness
    for manager in harness.managers:
        manager.stop()
    assert (harness.load.open(), harness.load.wrong()) == ([], [])

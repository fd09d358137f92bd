from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from released import add_version


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with versions 1, 2 and 3, none of them promoted."""
    folder = tmp_path / "models"
    for number in (1, 2, 3):
        add_version(folder, number)
    return folder


@pytest.fixture
def free_target() -> Iterator[str]:
    """An address where no server answers: the port is bound, but no process listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"

"""Models to serve, written once a session; read-only. `tiny_models.push` makes versions of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models


@pytest.fixture(scope="session")
def half_plus_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half_plus_two")
    tiny_models.write_half_plus_two(path)
    return path


@pytest.fixture(scope="session")
def half_plus_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half_plus_three")
    tiny_models.write_half_plus_two(path, bias=3.0)
    return path


@pytest.fixture(scope="session")
def shared_input(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shared_input") / "model"
    tiny_models.write_shared_input(path)
    return path


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("broken")
    tiny_models.write_broken(path)
    return path


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes 300 ms."""
    path = tmp_path_factory.mktemp("slow")
    tiny_models.write_slow(path, 300)
    return path

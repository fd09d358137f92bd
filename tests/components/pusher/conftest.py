from pathlib import Path

import pytest
from saved_models import critic, saved_model


@pytest.fixture
def source(tmp_path) -> Path:
    return saved_model(tmp_path / "model" / "1")


@pytest.fixture
def base(tmp_path) -> Path:
    return tmp_path / "models" / "critic"


@pytest.fixture(scope="session")
def running_model(tmp_path_factory) -> Path:
    return critic(tmp_path_factory.mktemp("critic") / "model")

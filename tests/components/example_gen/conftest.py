from pathlib import Path

import pytest
from review_formats import WRITERS, Review, hand_written_reviews


@pytest.fixture(scope="session")
def hand_written() -> list[Review]:
    return hand_written_reviews()


@pytest.fixture(params=list(WRITERS))
def source_of_each_kind(request: pytest.FixtureRequest, hand_written: list[Review], tmp_path: Path) -> Path:
    return WRITERS[request.param](hand_written, tmp_path)


@pytest.fixture
def csv_source(hand_written: list[Review], tmp_path: Path) -> Path:
    return WRITERS["csv"](hand_written, tmp_path)


@pytest.fixture
def tar_source(hand_written: list[Review], tmp_path: Path) -> Path:
    return WRITERS["tar.gz"](hand_written, tmp_path)

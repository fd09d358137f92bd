import pytest
from made_runs import MadeRuns


@pytest.fixture
def made(tmp_path):
    return MadeRuns(tmp_path)

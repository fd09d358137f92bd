import pytest
from sample_project import Project


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def first(project):
    record = project.succeed()
    return record, project.printed

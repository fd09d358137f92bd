import base64
import re

import pytest
from browser import opened
from made_runs import MadeRuns
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipeline.history.runs import PastArtifact
from pipeline.report.page import write_page
from pipeline.report.sections.statistics_view import FILE, write_statistics_view

pytestmark = pytest.mark.slow


@pytest.fixture
def statistics(tmp_path):
    """Statistics of these splits; each has a string as hostile as a review may be."""

    def write(*splits: str) -> PastArtifact:
        for split in splits:
            dataset = statistics_pb2.DatasetFeatureStatistics(num_examples=len(split))
            feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
            feature.path.step.append("text")
            feature.string_stats.top_values.add(value="</script><script>alert(1)</script>", frequency=1)
            folder = tmp_path / "statistics" / f"Split-{split}"
            folder.mkdir(parents=True)
            content = statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset]).SerializeToString()
            (folder / "FeatureStats.pb").write_bytes(content)
        return PastArtifact(1, "ExampleStatistics", str(tmp_path / "statistics"))

    return write


def shown(page: str) -> list[tuple[str, int]]:
    (encoded,) = re.findall(r'proto-input="([^"]*)"', page)
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(base64.b64decode(encoded))
    return [(dataset.name, dataset.num_examples) for dataset in found.datasets]


def test_two_splits_are_side_by_side_and_reviews_are_escaped(statistics, tmp_path):
    assert write_statistics_view(statistics("train", "eval", "test"), tmp_path)
    page = (tmp_path / FILE).read_text()
    assert shown(page) == [("train", 5), ("test", 4)]
    assert "alert" not in page


def test_one_split_is_shown_alone(statistics, tmp_path):
    assert write_statistics_view(statistics("test"), tmp_path)
    assert shown((tmp_path / FILE).read_text()) == [("test", 4)]


def test_no_statistics_give_no_view_and_an_existing_view_is_kept(statistics, tmp_path):
    assert not write_statistics_view(None, tmp_path)
    assert not write_statistics_view(statistics(), tmp_path)
    assert not (tmp_path / FILE).exists()
    (tmp_path / FILE).write_text("as it was")
    assert write_statistics_view(statistics("train"), tmp_path)
    assert (tmp_path / FILE).read_text() == "as it was"


def test_the_page_leads_to_the_view(browser, tmp_path):
    made = MadeRuns(tmp_path)
    made.pushed_run(explained=False)
    page = write_page(made.connection, made.workspace)
    with opened(browser, page.as_uri()) as watched:
        link = watched.page.get_by_role("link", name="own view", include_hidden=True)
        assert watched.page.evaluate("link => link.href", link.element_handle()) == page.with_name(FILE).as_uri()
    assert page.with_name(FILE).is_file()

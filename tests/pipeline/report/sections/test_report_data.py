import pytest
from made_runs import PUSHED

from pipeline.history.runs import find_run
from pipeline.report.sections.data import VocabularyCoverage, describe_data
from pipeline.workspace.run_names import RUN_FILE


@pytest.mark.parametrize(("max_tokens", "cut"), [(6, 0.0), (5, 1 / 3)])
def test_the_coverage_of_the_vocabulary_is_measured_in_words(made, max_tokens, cut):
    """The reviews have 3, 5 and 1 words, of which only `affair` is unknown; the start mark takes one token."""
    made.pushed_run(explained=False)
    made.record(PUSHED, RUN_FILE, settings={"transform.max_tokens": max_tokens})
    section = describe_data(find_run(made.connection, made.workspace))
    assert section.vocabulary == 4
    assert section.coverage == [
        VocabularyCoverage(split, reviews=3, words=9, unknown=pytest.approx(1 / 9), cut=pytest.approx(cut), median=3.0)
        for split in ("train", "test")
    ]


def test_without_a_vocabulary_there_is_no_coverage(made):
    ids = made.pushed_run(explained=False)
    (made.folder(ids["transform_graph"]) / "transform_fn" / "assets" / "vocabulary").unlink()
    section = describe_data(find_run(made.connection, made.workspace))
    assert (section.vocabulary, section.coverage) == (None, [])

import json

import pytest
from made_runs import selection

from pipeline.history.runs import PastArtifact, PastNode, PastRun
from pipeline.report.sections.summary import describe_summary


@pytest.fixture
def ended(tmp_path):
    """A run with a selection and an end, whose record has a reason."""

    def end(pushed: int, **changes) -> PastRun:
        (tmp_path / "selection.json").write_text(json.dumps({**selection(), **changes}))
        chosen = PastNode(
            "ModeSelector", "COMPLETE", 0, 1, outputs={"model": [PastArtifact(1, "Model", str(tmp_path))]}
        )
        told = {"pushed": pushed, "pushed_version": "7"} if pushed else {"pushed": 0}
        pusher = PastNode(
            "Pusher", "COMPLETE", 1, 2, outputs={"pushed_model": [PastArtifact(2, "PushedModel", "", told)]}
        )
        record = {"champion": {"reasons": ["accuracy 0.80, required at least 0.90"]}}
        return PastRun("x", {"ModeSelector": chosen, "Pusher": pusher}, record)

    return end


def test_a_tie_shows_no_difference(ended):
    section = describe_summary(ended(1))
    assert section.title == "No difference shown; scalar attention was chosen"
    assert "81.0% of the 60 test reviews, vector attention on 80.0%: 1.00 points fewer" in section.sentences[0]
    assert "95% interval −5.00 to +3.00, McNemar p = 0.7" in section.sentences[0]
    assert "1,000 parameters against 2,000" in section.sentences[1]
    assert section.sentences[2] == "It passed every check and was pushed as version 7."


def test_a_win_that_was_not_pushed_has_its_reasons(ended):
    section = describe_summary(
        ended(0, significant=True, winner="vector", accuracy_difference=0.02, interval=[0.01, 0.03])
    )
    assert section.title == "Vector attention won"
    assert "2.00 points more" in section.sentences[0]
    assert section.sentences[-1] == "It was not pushed: accuracy 0.80, required at least 0.90."


def test_failed_and_unfinished_runs_have_their_own_titles():
    failed = PastRun("x", {}, failure={"error": "Transform failed: no"})
    assert (describe_summary(failed).title, describe_summary(failed).sentences) == (
        "The run failed",
        ["Transform failed: no"],
    )
    assert describe_summary(PastRun("x", {})).title == "The run did not finish"


@pytest.mark.parametrize(("source", "noticed"), [("sample", True), ("imdb", False), ("~/reviews/*.csv", False)])
def test_a_run_on_the_sample_has_a_notice_however_it_ended(source, noticed):
    record = {"champion": {"reasons": []}, "settings": {"data.source": source}}
    section = describe_summary(PastRun("x", {}, record))
    expected = "The models were trained on invented reviews: `--set data.source=imdb` for real ones."
    assert section.notice == (expected if noticed else None)

import json

import pytest
from made_explanations import mode
from made_runs import selection

from pipeline.history.runs import PastArtifact, PastNode, PastRun
from pipeline.report.faithfulness import in_words
from pipeline.report.headline import headline


@pytest.fixture
def ended(tmp_path):
    """A run with a selection and an end, in whose record a reason stands."""

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


def test_a_tie_says_that_nothing_is_shown(ended):
    told = headline(ended(1))
    assert told.title == "No difference shown; scalar attention was taken"
    assert "81.0% of the 60 test reviews rightly, vector attention 80.0%: 1.00 points fewer" in told.sentences[0]
    assert "95% interval −5.00 to +3.00, McNemar p = 0.7" in told.sentences[0]
    assert "1,000 parameters against 2,000" in told.sentences[1]
    assert told.sentences[2] == "It passed every check and was pushed as version 7."


def test_a_win_that_was_not_pushed_says_why(ended):
    told = headline(ended(0, significant=True, winner="vector", accuracy_difference=0.02, interval=[0.01, 0.03]))
    assert told.title == "Vector attention won"
    assert "2.00 points more" in told.sentences[0]
    assert told.sentences[-1] == "It was not pushed: accuracy 0.80, required at least 0.90."


def test_a_failed_and_an_unfinished_run_say_so():
    failed = PastRun("x", {}, failure={"error": "Transform failed: no"})
    assert (headline(failed).title, headline(failed).sentences) == ("The run failed", ["Transform failed: no"])
    assert headline(PastRun("x", {})).title == "The run did not finish"


@pytest.mark.parametrize(
    ("effect", "verdict", "alone"),
    [
        (0.1, "points at words that the answer depends on", "closer to it than random ones do"),
        (0.0, "does not tell its attention from chance", "no closer to it"),
        (-0.1, "points away from the words", "further from it than random ones do"),
    ],
)
def test_faithfulness_is_claimed_only_where_intervals_are_apart(effect, verdict, alone):
    told = in_words("vector", mode("x", effect)["faithfulness"])
    assert told.startswith("Vector: without the 5 most attended words the probability of the model's answer falls by ")
    assert verdict in told
    assert alone in told


def test_no_test_is_no_finding():
    assert in_words("scalar", {"k": [], "reviews": 0}) == "Scalar: the test was not made."

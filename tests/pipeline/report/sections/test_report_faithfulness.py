import pytest
from made_explanations import mode

from pipeline.report.sections.faithfulness import finding


@pytest.mark.parametrize(
    ("effect", "verdict", "alone"),
    [
        (0.1, "points at words that the prediction depends on", "model closer to its prediction than random words do"),
        (0.0, "does not distinguish its attention from chance", "no measurably closer to its prediction"),
        (-0.1, "points away from the words", "less close to its prediction than random words do"),
    ],
)
def test_faithfulness_is_claimed_only_if_intervals_do_not_overlap(effect, verdict, alone):
    told = finding("vector", mode("x", effect)["faithfulness"])
    assert told.startswith("Vector: without the 5 most attended words, the probability of the prediction falls by ")
    assert verdict in told
    assert alone in told


def test_a_test_that_was_not_run_has_no_finding():
    assert finding("scalar", {"k": [], "reviews": 0}) == "Scalar: the test was not run."

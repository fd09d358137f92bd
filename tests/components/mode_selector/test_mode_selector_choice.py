import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.mode_selector.choice import choose
from imdb_core.stats.paired import PairedOutcomes

COUNTS = st.integers(min_value=0, max_value=500)
OUTCOMES = st.builds(PairedOutcomes, COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda outcomes: outcomes.reviews > 0)
CONFIDENCES = st.floats(min_value=0.51, max_value=0.999)
SIZES = {"scalar": 100, "vector": 200}


def test_a_candidate_that_is_better_wins_though_it_is_larger():
    choice = choose(PairedOutcomes(800, 20, 60, 120), "scalar", "vector", SIZES, 0.95)
    assert (choice.winner, choice.significant) == ("vector", True)
    assert choice.reason.startswith("vector is better: accuracy of vector minus scalar: +4.00 points (95% interval +2.")
    assert "8.0% of 1000 reviews judged differently" in choice.reason


def test_a_baseline_that_is_better_wins_though_it_is_larger():
    choice = choose(PairedOutcomes(800, 60, 20, 120), "scalar", "vector", {"scalar": 200, "vector": 100}, 0.95)
    assert (choice.winner, choice.significant) == ("scalar", True)
    assert choice.reason.startswith("scalar is better: accuracy of vector minus scalar: -4.00 points")


@pytest.mark.parametrize(
    ("sizes", "winner", "words"),
    [
        ({"scalar": 1000, "vector": 2000}, "scalar", "the smaller model, scalar (1,000 against 2,000 parameters)"),
        ({"scalar": 2000, "vector": 1000}, "vector", "the smaller model, vector (1,000 against 2,000 parameters)"),
        (
            {"scalar": 1000, "vector": 1000},
            "scalar",
            "the baseline of two equally large models, scalar (1,000 against 1,000 parameters)",
        ),
    ],
)
@pytest.mark.parametrize("outcomes", [PairedOutcomes(80, 5, 7, 8), PairedOutcomes(80, 7, 5, 8)])
def test_without_evidence_the_smaller_model_wins(outcomes, sizes, winner, words):
    choice = choose(outcomes, "scalar", "vector", sizes, 0.95)
    assert (choice.winner, choice.significant) == (winner, False)
    assert choice.reason.startswith(f"no difference shown, so {words}: ")


def test_without_evidence_it_is_said_what_would_show_one():
    reason = choose(PairedOutcomes(20700, 1000, 1030, 2270), "scalar", "vector", SIZES, 0.95).reason
    assert reason.endswith("; with 80% power this difference takes 442,588 reviews and these show 0.50 points")
    equal = choose(PairedOutcomes(20700, 1000, 1000, 2300), "scalar", "vector", SIZES, 0.95).reason
    assert equal.endswith("; with 80% power these show 0.50 points")
    assert "power" not in choose(PairedOutcomes(800, 20, 60, 120), "scalar", "vector", SIZES, 0.95).reason


def test_models_that_never_disagree_differ_in_nothing():
    choice = choose(PairedOutcomes(90, 0, 0, 10), "scalar", "vector", SIZES, 0.95)
    assert (choice.winner, choice.significant) == ("scalar", False)
    assert "+0.00 points" in choice.reason
    assert "McNemar p = 1," in choice.reason


def test_more_confidence_asks_for_more_evidence():
    outcomes = PairedOutcomes(800, 30, 55, 115)
    assert choose(outcomes, "scalar", "vector", SIZES, 0.95).winner == "vector"
    strict = choose(outcomes, "scalar", "vector", SIZES, 0.999)
    assert (strict.winner, strict.significant) == ("scalar", False)
    assert "(99.9% interval" in strict.reason


@given(OUTCOMES, CONFIDENCES)
def test_a_significant_winner_was_right_more_often(outcomes, confidence):
    choice = choose(outcomes, "scalar", "vector", SIZES, confidence)
    if choice.significant:
        assert (choice.winner == "vector") == (outcomes.accuracy_difference > 0)
        assert outcomes.mcnemar_p() < 1 - confidence
    else:
        assert choice.winner == "scalar"

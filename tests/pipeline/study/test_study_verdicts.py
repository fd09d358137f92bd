from components.evaluator.metrics import ACCURACY, LOG_LOSS
from imdb_core.stats.seeds import Difference
from pipeline.study.verdicts import verdict

NAMES = ("vector", "scalar")


def difference(value: float) -> Difference:
    return Difference(value, seeds=5, seed_variance=1e-6, seed_freedom=4.0, review_variance=0.0, reviews=25_000)


def test_a_shown_difference_names_the_better_one():
    # t(4) = 2.776: 0.42 ± 0.28 points
    words = "is better by 0.42 points (95% interval 0.14 to 0.70, 5 seeds)"
    assert verdict(NAMES, difference(0.0042), ACCURACY, 0.95) == f"vector {words}"
    assert verdict(NAMES, difference(-0.0042), ACCURACY, 0.95) == f"scalar {words}"


def test_a_smaller_loss_is_better():
    assert verdict(NAMES, difference(-0.0042), LOG_LOSS, 0.95) == (
        "vector is better by 0.0042 (95% interval 0.0014 to 0.0070, 5 seeds)"
    )


def test_a_difference_that_is_not_shown_comes_with_its_power():
    found = difference(0.001)
    # (2.776 + 0.941) / 1000
    assert verdict(NAMES, found, ACCURACY, 0.95) == (
        "no difference shown: vector minus scalar is +0.10 points (95% interval -0.18 to +0.38, 5 seeds); with 80% "
        f"power, showing 0.10 points takes {found.seeds_needed(0.95)} seeds; 5 seeds show 0.37 points"
    )
    assert verdict(NAMES, difference(0.0), ACCURACY, 0.95).endswith("; with 80% power, 5 seeds show 0.37 points")
    out_of_reach = verdict(NAMES, difference(0.00001), ACCURACY, 0.95)
    assert "showing 0.00 points takes more reviews, or more than 1,000 seeds; " in out_of_reach


def test_trainings_with_equal_results_have_no_power_note():
    same = Difference(0.0, 2, 0.0, 1.0, 0.0, 200)
    assert verdict(NAMES, same, ACCURACY, 0.95).endswith("2 seeds); all trainings gave the same result")

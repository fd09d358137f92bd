import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.stats.paired import PairedOutcomes

COUNTS = st.integers(min_value=0, max_value=500)
OUTCOMES = st.builds(PairedOutcomes, COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda outcomes: outcomes.reviews > 0)
CONFIDENCES = st.floats(min_value=0.51, max_value=0.999)


def swapped(outcomes: PairedOutcomes) -> PairedOutcomes:
    return PairedOutcomes(
        outcomes.both_right, outcomes.only_candidate_right, outcomes.only_baseline_right, outcomes.both_wrong
    )


def test_rates_interval_and_p_value_by_hand():
    outcomes = PairedOutcomes(both_right=80, only_baseline_right=3, only_candidate_right=9, both_wrong=8)
    assert outcomes.reviews == 100
    assert outcomes.flip_rate == pytest.approx(0.12)
    assert outcomes.accuracy_difference == pytest.approx(0.06)
    # Bonett and Price: (9+1)/102 - (3+1)/102 ± 1.959964 sqrt((14/102 - (6/102)²) / 102)
    half = 1.959964 * math.sqrt((14 / 102 - (6 / 102) ** 2) / 102)
    assert outcomes.interval(0.95) == pytest.approx((6 / 102 - half, 6 / 102 + half), abs=1e-6)
    # 12 disagreements, 3 or fewer on one side: 2 (1 + 12 + 66 + 220) / 4096
    assert outcomes.mcnemar_p() == pytest.approx(598 / 4096)


def test_models_that_never_disagree():
    outcomes = PairedOutcomes(90, 0, 0, 10)
    low, high = outcomes.interval(0.95)
    assert (outcomes.mcnemar_p(), outcomes.flip_rate, outcomes.accuracy_difference) == (1.0, 0.0, 0.0)
    assert low < 0 < high
    assert low == -high


def test_one_review():
    assert PairedOutcomes(0, 1, 0, 0).interval(0.999)[0] == -1.0
    assert PairedOutcomes(0, 0, 1, 0).mcnemar_p() == 1.0


@given(OUTCOMES, CONFIDENCES)
def test_swapping_the_models_mirrors_the_evidence(outcomes, confidence):
    low, high = outcomes.interval(confidence)
    assert swapped(outcomes).interval(confidence) == pytest.approx((-high, -low), abs=1e-12)
    assert swapped(outcomes).mcnemar_p() == pytest.approx(outcomes.mcnemar_p(), rel=1e-9)
    assert swapped(outcomes).accuracy_difference == -outcomes.accuracy_difference
    assert swapped(outcomes).flip_rate == outcomes.flip_rate


@given(OUTCOMES, CONFIDENCES)
def test_the_interval_contains_its_centre_and_stays_in_range(outcomes, confidence):
    low, high = outcomes.interval(confidence)
    shrunk = (outcomes.only_candidate_right - outcomes.only_baseline_right) / (outcomes.reviews + 2)
    assert -1 <= low < shrunk < high <= 1
    wider_low, wider_high = outcomes.interval(0.9999)
    assert wider_low <= low < high <= wider_high
    assert 0 < outcomes.mcnemar_p() <= 1


@given(OUTCOMES)
def test_more_of_the_same_evidence_narrows_the_interval(outcomes):
    many = PairedOutcomes(
        10 * outcomes.both_right,
        10 * outcomes.only_baseline_right,
        10 * outcomes.only_candidate_right,
        10 * outcomes.both_wrong,
    )
    low, high = outcomes.interval(0.95)
    many_low, many_high = many.interval(0.95)
    assert many_high - many_low <= high - low


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_sum_over_coin_flips(only_baseline, only_candidate):
    n = only_baseline + only_candidate
    expected = sum(math.comb(n, k) for k in range(n + 1) if math.comb(n, k) <= math.comb(n, only_candidate)) / 2**n
    assert PairedOutcomes(5, only_baseline, only_candidate, 5).mcnemar_p() == pytest.approx(expected, rel=1e-9)


# Normal quantiles of 97.5% and 80%.
TWO_SIDED, POWER = 1.959964, 0.841621


def test_reviews_needed_by_hand():
    # flips 0.12, difference 0.06: (1.959964 sqrt(0.12) + 0.841621 sqrt(0.12 - 0.0036))² / 0.0036
    outcomes = PairedOutcomes(both_right=80, only_baseline_right=3, only_candidate_right=9, both_wrong=8)
    expected = (TWO_SIDED * math.sqrt(0.12) + POWER * math.sqrt(0.1164)) ** 2 / 0.0036
    assert expected == pytest.approx(259.26, abs=0.01)
    assert outcomes.reviews_needed(0.95) == swapped(outcomes).reviews_needed(0.95) == 260


def test_the_detectable_difference_by_hand():
    # 259 such reviews detect the difference that needs 259.26 reviews, up to rounding.
    outcomes = PairedOutcomes(207, 8, 23, 21)
    flips = 31 / 259
    found = outcomes.smallest_detectable_difference(0.95)
    assert found == pytest.approx(0.0599, abs=1e-4)
    assert found * math.sqrt(259) == pytest.approx(
        TWO_SIDED * math.sqrt(flips) + POWER * math.sqrt(flips - found**2), abs=1e-4
    )


def test_no_number_of_reviews_separates_models_that_are_right_equally_often():
    assert PairedOutcomes(90, 4, 4, 2).reviews_needed(0.95) is None
    assert PairedOutcomes(90, 0, 0, 10).reviews_needed(0.95) is None


@pytest.mark.parametrize("outcomes", [PairedOutcomes(90, 0, 0, 10), PairedOutcomes(0, 1, 0, 0)])
def test_too_few_disagreements_show_no_difference_however_large(outcomes):
    assert outcomes.smallest_detectable_difference(0.95) is None


@given(OUTCOMES, CONFIDENCES)
def test_reviews_needed_and_detectable_difference_solve_the_same_equation(outcomes, confidence):
    smallest = outcomes.smallest_detectable_difference(confidence)
    needed = outcomes.reviews_needed(confidence)
    if smallest is not None and needed is not None:
        # A difference that these reviews would show takes no more of them, and a smaller one takes more.
        if abs(outcomes.accuracy_difference) > smallest + 1e-9:
            assert needed <= outcomes.reviews
        if abs(outcomes.accuracy_difference) < smallest - 1e-9:
            assert needed >= outcomes.reviews


def exact_power(difference: float, flip_rate: float, reviews: int) -> float:
    """Power of McNemar's test without continuity correction, summed over all tables."""
    better, worse = (flip_rate + difference) / 2, (flip_rate - difference) / 2
    total = 0.0
    for flips in range(1, reviews + 1):
        some = math.comb(reviews, flips) * flip_rate**flips * (1 - flip_rate) ** (reviews - flips)
        share = better / (better + worse)
        for up in range(flips + 1):
            if abs(2 * up - flips) > TWO_SIDED * math.sqrt(flips):
                total += some * math.comb(flips, up) * share**up * (1 - share) ** (flips - up)
    return total


@pytest.mark.parametrize(("difference", "flip_rate"), [(0.2, 0.4), (0.3, 0.5), (0.15, 0.3)])
def test_the_reviews_needed_have_about_80_percent_power(difference, flip_rate):
    thousand = PairedOutcomes(
        0,
        round(500 * (flip_rate - difference)),
        round(500 * (flip_rate + difference)),
        round(1000 * (1 - flip_rate)),
    )
    assert exact_power(difference, flip_rate, thousand.reviews_needed(0.95)) == pytest.approx(0.8, abs=0.04)


def test_the_interval_ends_at_a_difference_of_1():
    assert PairedOutcomes(0, 0, 3, 0).interval(0.999) == (pytest.approx(-0.577, abs=1e-3), 1.0)
    assert PairedOutcomes(0, 3, 0, 0).interval(0.999) == (-1.0, pytest.approx(0.577, abs=1e-3))


@pytest.mark.parametrize(("confidence", "false_alarm"), [(0.95, 1.959964), (0.99, 2.575829)])
def test_the_detectable_difference_solves_connors_formula_for_few_reviews(confidence, false_alarm):
    """n d² = (z_a sqrt(psi) + z_b sqrt(psi - d²))², with z_b of 80% power."""
    outcomes, miss = PairedOutcomes(6, 6, 7, 1), 0.841621
    d, psi = outcomes.smallest_detectable_difference(confidence), 13 / 20
    right = (false_alarm * math.sqrt(psi) + miss * math.sqrt(psi - d**2)) ** 2
    assert 20 * d**2 == pytest.approx(right, rel=1e-5)

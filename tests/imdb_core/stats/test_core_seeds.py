import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from components.evaluator.metrics import ACCURACY, AUC, LOG_LOSS, single_model_metrics
from imdb_core.stats.scores import accuracy_values, auc_values, log_losses
from imdb_core.stats.seeds import MOST_SEEDS, Difference, Spread, paired_difference, unpaired_difference

# Quantiles of t from a printed table: 97.5% and 80%, by degrees of freedom.
T_975 = {1: 12.706, 2: 4.303, 4: 2.776}
T_80 = {4: 0.941}


def make_pair(seed: int, seeds: int, reviews: int):
    first, second = np.random.default_rng(seed).integers(-3, 4, (2, seeds, reviews)).astype(np.float64)
    return first, second


PAIRS = st.builds(make_pair, st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 12))


def test_spread_by_hand():
    assert Spread.of([0.25, 0.75, 0.5]) == Spread(mean=0.5, deviation=0.25, least=0.25, most=0.75)
    assert Spread.of([0.5]) == Spread(mean=0.5, deviation=None, least=0.5, most=0.5)


def test_a_paired_difference_by_hand():
    # Two seeds, two reviews: differences 3, 1 and 2, 0; seeds' means 2 and 1, reviews' means 2.5 and 0.5.
    found = paired_difference(np.array([[4.0, 3.0], [2.0, 0.0]]), np.array([[1.0, 2.0], [0.0, 0.0]]))
    assert found.value == 1.5
    assert (found.seeds, found.reviews, found.seed_freedom) == (2, 2, 1)
    # Variance of the seeds' means 0.5, over 2; of the reviews' means 2, over 2; no residual is left.
    assert found.seed_variance == pytest.approx(0.25)
    assert found.review_variance == pytest.approx(1.0)
    assert found.seed_interval(0.95) == pytest.approx((1.5 - 0.5 * T_975[1], 1.5 + 0.5 * T_975[1]), abs=1e-3)
    # Satterthwaite: 1.25² / (0.25² / 1 + 1² / 1)
    half = stats.t.ppf(0.975, 1.5625 / 1.0625) * math.sqrt(1.25)
    assert found.crossed_interval(0.95) == pytest.approx((1.5 - half, 1.5 + half))


def test_the_randomness_of_single_trainings_is_not_counted_twice():
    # Differences +1 and -1 alternate: the means of reviews and of seeds are 0, so that all variance is random.
    found = paired_difference(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros((2, 2)))
    assert (found.value, found.seed_variance, found.review_variance) == (0, 0, 0)
    assert not found.is_shown(0.95)


def test_the_seeds_interval_is_the_t_interval_of_the_seeds_differences():
    first = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    second = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    # 0.5, 0.5 and -0.5: mean 1/6, deviation sqrt(1/3).
    half = T_975[2] * math.sqrt(1 / 3) / math.sqrt(3)
    found = paired_difference(first, second).seed_interval(0.95)
    assert found == pytest.approx((1 / 6 - half, 1 / 6 + half), abs=1e-3)


@pytest.mark.filterwarnings("ignore:Precision loss occurred")  # of scipy, where the trainings are nearly equal
@given(PAIRS)
def test_scipy_agrees_on_the_seeds(pair):
    first, second = pair
    by_seed = [values.mean(axis=1) for values in pair]
    paired, unpaired = paired_difference(first, second), unpaired_difference(first, second)
    assert paired.value == pytest.approx(by_seed[0].mean() - by_seed[1].mean())
    if paired.seed_variance > 1e-9:
        expected = stats.ttest_rel(*by_seed).confidence_interval(0.95)
        assert paired.seed_interval(0.95) == pytest.approx((expected.low, expected.high))
    if unpaired.seed_variance > 1e-9:
        expected = stats.ttest_ind(*by_seed, equal_var=False).confidence_interval(0.95)
        assert unpaired.seed_interval(0.95) == pytest.approx((expected.low, expected.high))


@given(PAIRS)
def test_the_variances_are_those_of_a_plain_two_way_table(pair):
    table = (pair[0] - pair[1]).tolist()
    seeds, count = len(table), len(table[0])
    grand = sum(map(sum, table)) / (seeds * count)
    rows = [sum(row) / count for row in table]
    columns = [sum(row[i] for row in table) / seeds for i in range(count)]
    of_seeds = count * sum((row - grand) ** 2 for row in rows) / (seeds - 1)
    of_reviews = seeds * sum((column - grand) ** 2 for column in columns) / (count - 1)
    rest = sum((table[s][i] - rows[s] - columns[i] + grand) ** 2 for s in range(seeds) for i in range(count)) / (
        (seeds - 1) * (count - 1)
    )
    found = paired_difference(*pair)
    assert found.seed_variance == pytest.approx(of_seeds / (seeds * count), abs=1e-9)
    assert found.review_variance == pytest.approx(max(0, of_reviews - rest) / (seeds * count), abs=1e-9)


@given(PAIRS)
def test_swapping_mirrors_the_interval_which_is_the_wider_of_both(pair):
    for compare in (paired_difference, unpaired_difference):
        found, mirrored = compare(*pair), compare(*pair[::-1])
        low, high = found.interval(0.95)
        assert mirrored.interval(0.95) == pytest.approx((-high, -low), abs=1e-9)
        for narrow in (found.seed_interval(0.95), found.crossed_interval(0.95)):
            assert high - low >= narrow[1] - narrow[0]
        assert found.is_shown(0.95) == (low > 0 or high < 0)


def test_the_interval_keeps_its_coverage_when_seeds_and_reviews_vary():
    random = np.random.default_rng(7)
    hits = seed_hits = 0
    for _ in range(400):
        table = random.normal(0, 0.02, (5, 1)) + random.normal(0, 0.3, 100) + random.normal(0, 0.3, (5, 100))
        found = paired_difference(table, np.zeros_like(table))
        hits += not found.is_shown(0.95)
        low, high = found.seed_interval(0.95)
        seed_hits += low <= 0 <= high
    # 95% of 400 are 380, with a deviation of 4.4; seeds alone take the reviews for all there are.
    assert 366 <= hits <= 394
    assert seed_hits < 350


def test_the_detectable_difference_and_the_seeds_needed_by_hand():
    found = Difference(value=0.01, seeds=5, seed_variance=1e-5, seed_freedom=4.0, review_variance=0.0, reviews=1000)
    assert found.detectable(0.95) == pytest.approx((T_975[4] + T_80[4]) * math.sqrt(1e-5), abs=1e-5)
    # 5 seeds show 0.0118. With 6: t(5) = 2.571 and 0.920, error sqrt(5e-5 / 6): 0.01008; with 7 it is 0.0090.
    assert found.seeds_needed(0.95) == 7


def test_too_few_reviews_cannot_be_made_up_for_by_seeds():
    found = Difference(value=0.01, seeds=5, seed_variance=1e-5, seed_freedom=4.0, review_variance=1.4e-5, reviews=1000)
    # Even without the seeds' part: (1.96 + 0.84) sqrt(1.4e-5) = 0.0105
    assert found.seeds_needed(0.95) is None
    assert Difference(0.0, 5, 1e-5, 4.0, 0.0, 1000).seeds_needed(0.95) is None


@given(st.floats(1e-4, 1e-1), st.floats(1e-8, 1e-3), st.floats(0, 1e-5))
def test_the_seeds_needed_are_the_fewest(value, seed_variance, review_variance):
    found = Difference(value, 5, seed_variance, 4.0, review_variance, 1000)
    needed = found.seeds_needed(0.95)

    def shows(seeds: int) -> bool:
        again = Difference(value, seeds, seed_variance * 5 / seeds, seeds - 1.0, review_variance, 1000)
        return again.detectable(0.95) <= value

    if needed is None:
        assert not shows(MOST_SEEDS)
    else:
        assert shows(needed)
        assert needed == 2 or not shows(needed - 1)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_means_over_reviews_are_the_metrics_of_the_evaluator(seed, count):
    random = np.random.default_rng(seed)
    labels = np.append(random.integers(0, 2, count), [0, 1])
    # With ties, and with probabilities of 0 and 1.
    positive = np.round(random.random((3, count + 2)), 1)
    for row, of_training in enumerate(positive):
        expected = single_model_metrics(labels, of_training)
        for name, values in ((ACCURACY, accuracy_values), (AUC, auc_values), (LOG_LOSS, log_losses)):
            assert values(labels, positive)[row].mean() == pytest.approx(expected[name])


def test_the_spread_of_two_trainings_has_a_deviation():
    assert Spread.of([0.25, 0.75]).deviation == pytest.approx(math.sqrt(0.125))


def test_satterthwaites_freedom_by_hand():
    """(2 + 3)² / (2² / 4 + 3² / 9) = 12.5 degrees of freedom; t at 97.5% from scipy's own table."""
    found = Difference(1.0, seeds=5, seed_variance=2.0, seed_freedom=4.0, review_variance=3.0, reviews=10)
    half = float(stats.t.ppf(0.975, 12.5)) * math.sqrt(5)
    assert found.crossed_interval(0.95) == pytest.approx((1 - half, 1 + half))


def test_networks_that_never_vary_keep_the_degrees_of_freedom_of_their_seeds():
    same = np.ones((4, 3))
    assert paired_difference(same, same).seed_freedom == 3.0
    assert unpaired_difference(same, same).seed_freedom == 3.0


def test_at_most_so_many_seeds_are_considered():
    """A difference that just `MOST_SEEDS` seeds show needs them all; a smaller one needs more than that."""
    found = Difference(1.0, seeds=5, seed_variance=2.0, seed_freedom=4.0, review_variance=0.0, reviews=10)
    most = Difference(
        1.0,
        seeds=MOST_SEEDS,
        seed_variance=2.0 * 5 / MOST_SEEDS,
        seed_freedom=MOST_SEEDS - 1.0,
        review_variance=0.0,
        reviews=10,
    )
    shown = most.detectable(0.95)
    assert dataclasses.replace(found, value=shown * (1 + 1e-9)).seeds_needed(0.95) == MOST_SEEDS
    assert dataclasses.replace(found, value=shown * (1 - 1e-9)).seeds_needed(0.95) is None

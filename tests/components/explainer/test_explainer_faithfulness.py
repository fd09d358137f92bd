import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.explainer import faithfulness
from components.explainer.faithfulness import draws_for, keep, mean_with_interval, measure, ranks_of, words_in

# The only word that the network's decision depends on.
DECISIVE = 7
TIME = 30


@st.composite
def rows_and_kept(draw):
    time = draw(st.integers(1, 12))
    rows = draw(st.lists(st.lists(st.integers(2, 9), max_size=time), min_size=1, max_size=5))
    kept = [[draw(st.booleans()) for _ in row] for row in rows]
    return time, rows, kept


def padded(rows, time: int, padding=0) -> np.ndarray:
    return np.array([[*row, *[padding] * (time - len(row))] for row in rows])


@settings(max_examples=100)
@given(rows_and_kept())
def test_deleted_tokens_leave_no_gap_and_padding_stays_at_the_end(case):
    time, rows, kept = case
    found = keep(padded(rows, time), padded(kept, time, False))
    left = [
        [token for token, stays in zip(row, stay, strict=True) if stays] for row, stay in zip(rows, kept, strict=True)
    ]
    assert found.tolist() == padded(left, time).tolist()


def test_the_start_mark_and_padding_are_not_words():
    assert words_in(np.array([[1, 2, 9, 0, 0]])).tolist() == [[False, True, True, False, False]]


def test_words_rank_by_score_and_other_tokens_rank_last():
    scores, is_word = np.array([[9.0, 1.0, 3.0, 2.0, 9.0]]), np.array([[False, True, True, True, False]])
    ranks = ranks_of(scores, is_word, np.zeros_like(scores))
    assert ranks[0, 1:4].tolist() == [2, 0, 1]
    assert set(ranks[0, [0, 4]]) == {3, 4}


def test_draws_break_ties():
    scores, is_word = np.ones((1, 3)), np.ones((1, 3), bool)
    assert ranks_of(scores, is_word, np.array([[0.5, 0.9, 0.1]])).tolist() == [[1, 2, 0]]


def test_more_reviews_do_not_change_the_draws_of_the_first_ones():
    np.testing.assert_array_equal(draws_for(3, 5, seed=1), draws_for(9, 5, seed=1)[:3])
    assert not np.array_equal(draws_for(3, 5, seed=1), draws_for(3, 5, seed=2))


def has_decisive_word(token_ids: np.ndarray) -> np.ndarray:
    positive = np.where((token_ids == DECISIVE).any(axis=1), 0.9, 0.2)
    return np.stack([1 - positive, positive], axis=1)


def measured(shares_at_decisive: float, count: int = 400) -> dict:
    """Measures reviews of a start mark, twenty words and padding; one of the words is decisive."""
    rng = np.random.default_rng(1)
    token_ids = np.zeros((count, TIME), np.int64)
    token_ids[:, 0] = 1
    token_ids[:, 1:21] = rng.integers(8, 100, (count, 20))
    token_ids[np.arange(count), rng.integers(1, 21, count)] = DECISIVE
    shares = np.where(token_ids == DECISIVE, shares_at_decisive, (1 - shares_at_decisive) / 20) * (token_ids != 0)
    draws = draws_for(count, TIME, seed=1)
    return measure(has_decisive_word, token_ids, shares, has_decisive_word(token_ids), draws)


def test_attention_to_the_decisive_word_is_faithful_and_random_words_are_not():
    found = measured(0.5)
    assert (found["reviews"], found["k"]) == (400, [1, 2, 5, 10, 20])
    # Without the decisive word the probability falls from 0.9 to 0.2; with only that word it stays.
    for interval in found["comprehensiveness"]["attention"]:
        assert interval == {name: pytest.approx(0.7) for name in ("mean", "low", "high")}
    for interval in found["sufficiency"]["attention"]:
        assert interval == {name: pytest.approx(0.0, abs=1e-12) for name in ("mean", "low", "high")}
    assert found["flips"]["attention"] == [1.0] * 5
    # k of 20 random words include the decisive one with probability k / 20.
    for place, k in enumerate(found["k"]):
        assert found["comprehensiveness"]["random"][place]["mean"] == pytest.approx(0.7 * k / 20, abs=0.06)
        assert found["sufficiency"]["random"][place]["mean"] == pytest.approx(0.7 * (1 - k / 20), abs=0.06)
        assert found["flips"]["random"][place] == pytest.approx(k / 20, abs=0.08)


@pytest.mark.parametrize("rounding_error", [0.0, 1e-9])
def test_constant_attention_is_like_random(rounding_error):
    found = measured(1 / 21 + rounding_error, count=1500)
    for place, k in enumerate(found["k"]):
        for order in ("attention", "random"):
            assert found["comprehensiveness"][order][place]["mean"] == pytest.approx(0.7 * k / 20, abs=0.04)


def test_the_start_mark_is_kept_and_not_added_to_a_cut_review():
    seen = []

    def record(token_ids):
        seen.append(token_ids.tolist())
        return np.full((2, 2), 0.5)

    token_ids = np.array([[1, 5, 6, 0], [7, 8, 9, 4]])
    shares = np.array([[0.7, 0.1, 0.2, 0.0], [0.4, 0.1, 0.2, 0.3]])
    measure(record, token_ids, shares, np.full((2, 2), 0.5), draws_for(2, 4, seed=1))
    without_one, only_one, without_two, only_two, without_five, only_five = seen[:6]
    assert without_one == [[1, 5, 0, 0], [8, 9, 4, 0]]
    assert only_one == [[1, 6, 0, 0], [7, 0, 0, 0]]
    assert without_two == [[1, 0, 0, 0], [8, 9, 0, 0]]
    assert only_two == [[1, 5, 6, 0], [7, 4, 0, 0]]
    assert without_five == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert only_five == token_ids.tolist()


def test_measures_follow_the_probability_of_the_predicted_class():
    answers = iter([[[0.6, 0.4], [0.6, 0.4]]] * 20)
    before = np.array([[0.9, 0.1], [0.2, 0.8]])
    token_ids = np.array([[5], [6]])
    found = measure(lambda _: np.array(next(answers)), token_ids, np.ones((2, 1)), before, draws_for(2, 1, seed=1))
    assert found["comprehensiveness"]["attention"][0]["mean"] == pytest.approx((0.3 + 0.4) / 2)
    assert found["flips"]["attention"] == [0.5] * 5


def test_the_interval_is_that_of_the_normal_approximation():
    # Mean 2, standard deviation 1, standard error 1 / sqrt(3).
    interval = mean_with_interval(np.array([1.0, 2.0, 3.0]))
    assert interval == {
        "mean": pytest.approx(2.0),
        "low": pytest.approx(2 - 1.959964 / 3**0.5),
        "high": pytest.approx(2 + 1.959964 / 3**0.5),
    }
    assert mean_with_interval(np.array([0.25])) == {"mean": 0.25, "low": 0.25, "high": 0.25}


def test_without_reviews_all_measures_are_zero():
    none = np.zeros((0, 4), np.int64)
    found = measure(lambda _: np.zeros((0, 2)), none, np.zeros((0, 4)), np.zeros((0, 2)), draws_for(0, 4, seed=1))
    assert found["reviews"] == 0
    assert found["flips"] == {"attention": [0.0] * 5, "random": [0.0] * 5}
    assert len(found["sufficiency"]["random"]) == len(faithfulness.KS)

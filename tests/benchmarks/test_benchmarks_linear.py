import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import linear
from benchmarks.__main__ import main
from benchmarks.linear import Limits


def test_pairs_are_known_words_that_follow_each_other() -> None:
    review = ["not", "a", "bad", "film"]
    known = {"not", "bad", "film"}
    assert list(linear._features(review, known, with_pairs=False)) == ["not", "bad", "film"]
    assert list(linear._features(review, known, with_pairs=True)) == ["not", "bad", "film", "bad film"]


def test_presence_counts_a_feature_once_and_forgets_unknown_ones() -> None:
    presence = linear._presence([["b", "a", "b"], [], ["c", "new"]], {"a": 0, "b": 1, "c": 2})
    assert presence.toarray().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_ratios_by_hand() -> None:
    presence = linear._presence([["good"], ["good", "film"], ["bad"], ["film"]], {"bad": 0, "film": 1, "good": 2})
    found = linear._log_ratios(presence, np.array([1, 1, 0, 0]))
    # Positive: 0, 1 and 2 of them, and one more each: 1/6, 2/6, 3/6. Negative: 2/5, 2/5, 1/5.
    assert found == pytest.approx(np.log([(1 / 6) / (2 / 5), (2 / 6) / (2 / 5), (3 / 6) / (1 / 5)]))


def test_it_learns_the_sample_within_its_limits() -> None:
    record = linear.run("sample", most=600)
    assert [row["features"] for row in record["rows"]] == ["words", "words and pairs"]
    assert record["reviews"] == {"train": 600, "test": 500}
    for row in record["rows"]:
        assert row["accuracy"] > 0.7
        assert 0.7 < row["auc"] <= 1
        assert 0 < row["log_loss"] < 0.69
    (few,) = {row["number"] for row in linear.run("sample", Limits(words=50, tokens=199), most=100)["rows"][:1]}
    assert few == 50


def test_the_command_prints_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    real = linear.run
    monkeypatch.setattr(linear, "run", lambda data: real(data, most=100))
    printed = CliRunner().invoke(main, ["linear"], catch_exceptions=False).output
    assert printed.startswith("## A linear model under the same limits, ")
    assert "python -m benchmarks linear --data sample\n" in printed
    assert "| words and pairs |" in printed

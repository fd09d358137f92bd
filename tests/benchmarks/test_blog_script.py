import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from benchmarks import blog_script
from benchmarks.blog_data import read_reviews
from benchmarks.blog_encoding import most_frequent_words, words_of
from benchmarks.blog_training import area_under_curve, blog_model


def test_the_area_by_hand() -> None:
    assert area_under_curve(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8])) == 0.875  # 3.5 of 4 pairs


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
@settings(max_examples=50)
def test_the_area_is_that_of_scikit_learn(rated: list[tuple[bool, int]]) -> None:
    labels = np.array([0, 1, *(int(label) for label, _ in rated)])
    positive = np.array([0.2, 0.2, *(rating / 5 for _, rating in rated)])
    assert area_under_curve(labels, positive) == pytest.approx(roc_auc_score(labels, positive))


def test_the_network_has_the_size_of_the_posts() -> None:
    shared = 10_000 * 100 + 3 * 64 * (100 + 64 + 2) + (200 * 64 * 32 + 32) + (32 * 2 + 2)
    assert blog_model("scalar").count_params() == shared + 64 + 1
    assert blog_model("vector").count_params() == shared + 64 * 64 + 64


def test_the_script_trains_both_modes_and_writes_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out, vocabulary = tmp_path / "result.json", tmp_path / "vocabulary"
    options = {"--data": "sample", "--limit": 32, "--epochs": 2, "--seed": 3, "--out": out, "--vocabulary": vocabulary}
    monkeypatch.setattr(sys, "argv", ["script", *(str(part) for option in options.items() for part in option)])
    blog_script.main()

    result = json.loads(out.read_text())
    assert (result["train"], result["test"], result["seed"]) == (32, 32, 3)
    assert set(result["seconds"]) == {"start_up", "read_and_encode"}
    assert 0.1 < result["peak_gigabytes"] < 10
    for mode in ("scalar", "vector"):
        epochs = result["modes"][mode]["epochs"]
        assert len(epochs) == 2
        for epoch in epochs:
            assert (epoch["accuracy"] * 32).is_integer()
            assert 0 <= epoch["auc"] <= 1
            assert 0.3 < epoch["log_loss"] < 1.5
            assert epoch["training_seconds"] > 0
            assert epoch["scoring_seconds"] > 0
    texts = read_reviews("sample", 32)["train"].texts
    assert vocabulary.read_text().split("\n")[:-1] == most_frequent_words(map(words_of, texts), 9996)
    printed = capfd.readouterr().err
    assert "script vector epoch 2" in printed
    assert "softmax over axis" not in printed


def test_the_script_ends_with_one_line_where_there_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "--data", "nowhere.tar.gz"])
    with pytest.raises(SystemExit, match=r"error: cannot read nowhere\.tar\.gz"):
        blog_script.main()

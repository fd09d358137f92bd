import json
import sys
from pathlib import Path

import pytest

from benchmarks import blog_script
from benchmarks.blog_data import read_reviews
from benchmarks.blog_encoding import most_frequent_words, words_of

pytestmark = pytest.mark.slow


def test_the_script_trains_both_modes_and_writes_its_measurements(
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


def test_the_script_ends_with_one_line_if_the_data_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "--data", "nowhere.tar.gz"])
    with pytest.raises(SystemExit, match=r"error: cannot read nowhere\.tar\.gz"):
        blog_script.main()

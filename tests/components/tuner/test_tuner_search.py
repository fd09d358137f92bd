from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.trainer.fitting import Score
from components.tuner.search import SettingsTuner, search_space
from imdb_core.errors import DeviceError, RunError

CANDIDATES = {
    "model.dropout": [0.1, 0.2, 0.3, 0.4, 0.5],
    "training.batch_size": [16, 32, 64],
    "training.schedule": ["constant", "cosine"],
}
CURRENT = {"model.dropout": 0.4, "training.batch_size": 32, "training.schedule": "cosine"}
Values = Mapping[str, Any]


def distance(values: Values) -> Score:
    """Best, with 0, at dropout 0.2 and batches of 64."""
    return Score(abs(values["model.dropout"] - 0.2) + abs(values["training.batch_size"] - 64) / 100, 0.8)


def same(values: Values) -> Score:
    del values
    return Score(0.5, 0.75)


class Search:
    """One finished search, and what it tried."""

    def __init__(
        self,
        folder: Path,
        score: Callable[[Values], Score] = distance,
        candidates: Mapping[str, list[Any]] = CANDIDATES,
        trials: int = 6,
        seed: int = 1,
    ) -> None:
        self.tried: list[dict[str, Any]] = []
        self.ended = 0

        def remembered(values: Values) -> Score:
            self.tried.append(dict(values))
            return score(values)

        def end() -> None:
            self.ended += 1

        space = search_space(candidates, {key: CURRENT[key] for key in candidates})
        directory = str(folder / "tuner")
        self.tuner = SettingsTuner(remembered, space, trials=trials, seed=seed, directory=directory, on_end=end)

    def run(self) -> Search:
        self.tuner.search()
        return self

    @property
    def best(self) -> dict[str, Any]:
        return dict(self.tuner.get_best_hyperparameters()[0].values)


def test_the_first_trial_has_the_current_values_and_the_others_are_new_ones_of_the_space(tmp_path: Path) -> None:
    search = Search(tmp_path).run()
    assert search.tried[0] == CURRENT
    assert len(search.tried) == len({str(values) for values in search.tried}) == 6
    for values in search.tried:
        assert list(values) == list(CANDIDATES)
        assert all(value in CANDIDATES[key] for key, value in values.items())


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_the_same_seed_gives_the_same_trials_and_another_seed_others(tmp_path: Path, seed: int) -> None:
    first = Search(tmp_path / "1", seed=seed).run().tried
    assert Search(tmp_path / "2", seed=seed).run().tried == first
    assert Search(tmp_path / "3", seed=seed // 2 + 7).run().tried != first


def test_the_best_is_the_one_with_the_least_eval_loss(tmp_path: Path) -> None:
    search = Search(tmp_path).run()
    assert search.best == min(search.tried, key=lambda values: distance(values).log_loss)
    assert search.best != CURRENT
    (trial,) = search.tuner.oracle.get_best_trials(1)
    assert trial.score == distance(search.best).log_loss
    assert search.ended == 1


def test_values_with_an_equal_score_do_not_replace_the_current_ones(tmp_path: Path) -> None:
    assert Search(tmp_path, score=same).run().best == CURRENT


def test_a_small_space_has_fewer_trials(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        search = Search(tmp_path, score=same, candidates={"training.schedule": ["constant", "cosine"]}).run()
    assert [values["training.schedule"] for values in search.tried] == ["cosine", "constant"]
    assert [line.split("  ")[0] for line in caplog.messages] == ["Tuner trial 1/2", "Tuner trial 2/2"]


def test_booleans_stay_booleans(tmp_path: Path) -> None:
    space = search_space({"model.on": [False, True]}, {"model.on": True})
    tried: list[bool] = []

    def score(values: Values) -> Score:
        tried.append(values["model.on"])
        return Score(0.5, 0.5)

    SettingsTuner(score, space, trials=2, seed=1, directory=str(tmp_path), on_end=lambda: None).search()
    assert [repr(value) for value in tried] == ["True", "False"]


def test_each_trial_has_one_line_and_kerastuner_prints_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, logger="imdb_attention.progress"):
        search = Search(tmp_path, trials=3).run()
    lines = [line.split("  ") for line in caplog.messages]
    assert [line[0] for line in lines] == [f"Tuner trial {trial}/3" for trial in (1, 2, 3)]
    # 0.4 is 0.2 away from the best, and 32 is 32 hundredths away.
    assert lines[0][1:-1] == ["eval loss 0.5200", "eval accuracy 0.8000", "best so far 0.5200", "the current settings"]
    for number in (1, 2):
        losses = [distance(values).log_loss for values in search.tried[: number + 1]]
        changed = {key: value for key, value in search.tried[number].items() if value != CURRENT[key]}
        assert lines[number][1] == f"eval loss {losses[-1]:.4f}"
        assert lines[number][3] == f"best so far {min(losses):.4f}"
        assert lines[number][4:-1] == [f"{key.partition('.')[2]} {value}" for key, value in changed.items()]
    assert capsys.readouterr().out == ""


def test_a_failed_trial_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fragile(values: Values) -> Score:
        if values == CURRENT:
            raise RunError("training broke down in epoch 1")
        return distance(values)

    with caplog.at_level(logging.INFO):
        search = Search(tmp_path, score=fragile, trials=4).run()
    assert len(search.tried) == 4
    assert search.best == min(search.tried[1:], key=lambda values: distance(values).log_loss)
    assert caplog.messages[0].startswith("Tuner trial 1/4  failed: training broke down in epoch 1")


def test_if_all_trials_fail_the_error_says_what_to_do(tmp_path: Path) -> None:
    def broken(values: Values) -> Score:
        raise RunError("training broke down in epoch 1")

    search = Search(tmp_path, score=broken, trials=5)
    with pytest.raises(RunError, match=r"all 5 trials of the Tuner have failed.*training.learning_rate"):
        search.run()
    assert len(search.tried) == 5
    assert search.ended == 0


def test_any_other_error_ends_the_search_and_is_the_cause(tmp_path: Path) -> None:
    def nowhere(values: Values) -> Score:
        raise DeviceError("no GPU")

    search = Search(tmp_path, score=nowhere)
    with pytest.raises(Exception, match="no GPU") as caught:
        search.run()
    assert isinstance(caught.value.__cause__, DeviceError)
    assert len(search.tried) == 1

from __future__ import annotations

import pytest

from imdb_core.hyperparameters import candidates, searchable, with_values
from imdb_core.settings import ModelSettings, TrainingSettings, TuningSettings

MODEL, TRAINING = ModelSettings(dropout=0.5), TrainingSettings(batch_size=64, schedule="cosine")


def test_the_value_in_use_is_always_a_candidate_and_none_comes_twice() -> None:
    space = {"model.dropout": (0.5, 0.3), "training.batch_size": (32,), "training.schedule": ("constant", "cosine")}
    assert candidates(space, MODEL, TRAINING) == {
        "model.dropout": [0.3, 0.5],
        "training.batch_size": [32, 64],
        "training.schedule": ["constant", "cosine"],
    }


def test_candidates_have_the_type_of_their_setting() -> None:
    (found,) = candidates({"training.learning_rate": (1, 2)}, MODEL, TRAINING).values()
    assert [type(value) for value in found] == [float, float, float]


def test_the_default_space_is_one_of_settings_that_exist_and_of_values_that_they_take() -> None:
    space = TuningSettings().space
    found = candidates(space, ModelSettings(), TrainingSettings())
    assert list(found) == list(space)
    assert all(set(space[key]) <= set(values) for key, values in found.items())


def test_luck_device_and_what_a_model_is_cannot_be_searched() -> None:
    assert {"model.dropout", "model.gru_units", "training.epochs", "training.batch_size"} <= set(searchable())
    assert not {"model.pooling", "training.seed", "training.device", "training.tune"} & set(searchable())


@pytest.mark.parametrize("key", ["model.pooling", "training.seed", "data.shards", "model.dropuot", "dropout"])
def test_another_key_is_refused_with_those_that_are_allowed(key: str) -> None:
    with pytest.raises(ValueError, match=rf"tuning.space names '{key}'; what can be searched is .*model.dropout"):
        candidates({key: (0.1,)}, MODEL, TRAINING)


@pytest.mark.parametrize("value", [1.0, "0.5", True, None, [0.1]])
def test_a_value_that_the_setting_would_not_take_is_refused_with_its_key(value: object) -> None:
    with pytest.raises(ValueError, match=r"^tuning.space gives model.dropout the value .*: expected "):
        candidates({"model.dropout": (0.1, value)}, MODEL, TRAINING)


def test_values_go_into_a_copy_of_the_settings() -> None:
    config = {"mode": "scalar", "model": {"dropout": 0.5, "mask": True}, "training": {"epochs": 4}}
    changed = with_values(config, {"model.dropout": 0.3, "training.batch_size": 32})
    assert changed == {
        "mode": "scalar",
        "model": {"dropout": 0.3, "mask": True},
        "training": {"epochs": 4, "batch_size": 32},
    }
    assert config == {"mode": "scalar", "model": {"dropout": 0.5, "mask": True}, "training": {"epochs": 4}}
    assert with_values(config, {}) == config

from __future__ import annotations

import pytest
from pydantic import ValidationError

from imdb_core.hyperparameters import candidates, in_short, searchable, value_of, with_values
from imdb_core.settings import ModelSettings, Section, TrainingSettings, TuningSettings

MODEL, TRAINING = ModelSettings(dropout=0.5), TrainingSettings(batch_size=64, schedule="cosine")


def test_candidates_are_distinct_and_include_the_current_value() -> None:
    space = {"model.dropout": (0.5, 0.3), "training.batch_size": (32,), "training.schedule": ("constant", "cosine")}
    assert candidates(space, MODEL, TRAINING) == {
        "model.dropout": [0.3, 0.5],
        "training.batch_size": [32, 64],
        "training.schedule": ["constant", "cosine"],
    }


def test_candidates_have_the_type_of_their_setting() -> None:
    (found,) = candidates({"training.learning_rate": (1, 2)}, MODEL, TRAINING).values()
    assert [type(value) for value in found] == [float, float, float]


def test_the_default_space_is_allowed() -> None:
    space = TuningSettings().space
    found = candidates(space, ModelSettings(), TrainingSettings())
    assert list(found) == list(space)
    assert all(set(space[key]) <= set(values) for key, values in found.items())


def test_seed_device_and_the_kind_of_model_cannot_be_searched() -> None:
    assert {"model.dropout", "model.gru_units", "training.epochs", "training.batch_size"} <= set(searchable())
    assert not {"model.pooling", "training.seed", "training.device", "training.tune"} & set(searchable())


@pytest.mark.parametrize("key", ["model.pooling", "training.seed", "data.shards", "model.dropuot", "dropout"])
def test_another_key_is_refused_and_the_allowed_ones_are_listed(key: str) -> None:
    with pytest.raises(ValueError, match=rf"tuning.space names '{key}'; what can be searched is .*model.dropout"):
        candidates({key: (0.1,)}, MODEL, TRAINING)


@pytest.mark.parametrize("value", [1.0, "0.5", True, None, [0.1]])
def test_a_candidate_that_the_setting_does_not_allow_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^tuning.space gives model.dropout the value .*: expected "):
        candidates({"model.dropout": (0.1, value)}, MODEL, TRAINING)


class Both(Section):
    model: ModelSettings
    training: TrainingSettings


def test_values_go_into_new_settings() -> None:
    settings = Both(model=MODEL, training=TRAINING)
    changed = with_values(settings, {"model.dropout": 0.3, "training.batch_size": 32})
    assert changed == Both(
        model=ModelSettings(dropout=0.3), training=TrainingSettings(batch_size=32, schedule="cosine")
    )
    assert settings == Both(model=MODEL, training=TRAINING)
    assert with_values(settings, {}) is settings


def test_a_value_that_a_setting_does_not_allow_is_refused() -> None:
    with pytest.raises(ValidationError, match="dropout"):
        with_values(Both(model=MODEL, training=TRAINING), {"model.dropout": 1.0})


def test_the_value_of_a_hyperparameter_is_found_by_its_key() -> None:
    assert value_of(Both(model=MODEL, training=TRAINING), "training.batch_size") == 64


@pytest.mark.parametrize(
    ("value", "text"), [(0.3, "0.3"), (1e-3, "0.001"), (1.0, "1"), (64, "64"), ("cosine", "cosine")]
)
def test_a_value_is_shown_briefly(value: object, text: str) -> None:
    assert in_short(value) == text

import inspect
import json
import re

import pytest
from pydantic import ValidationError

from imdb_core import settings
from imdb_core.settings import (
    EvaluationSettings,
    ModelSettings,
    Section,
    ServingSettings,
    TrainingSettings,
    TuningSettings,
)
from imdb_core.signatures import INPUTS

SECTIONS = [section for section in Section.__subclasses__() if section.__module__ == settings.__name__]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_described_in_sentences(section):
    _, _, listed = inspect.cleandoc(section.__doc__).partition("Attributes:\n")
    described = dict(re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", listed, re.MULTILINE))
    assert list(described) == list(section.model_fields)
    for sentences in described.values():
        assert sentences[0].isupper() or sentences[0] == "`"
        assert sentences.endswith(".")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_survives_json(section):
    dumped = json.loads(json.dumps(section().model_dump(mode="json")))
    assert section.model_validate(dumped) == section()


@pytest.mark.parametrize(
    ("section", "given"),
    [
        (TrainingSettings, {"epochs": 0}),
        (TrainingSettings, {"epochs": 3.0}),
        (TrainingSettings, {"epochs": "3"}),
        (TrainingSettings, {"tune": 1}),
        (TrainingSettings, {"seed": 2**32}),
        (TrainingSettings, {"learning_rate": 0.0}),
        (TrainingSettings, {"weight_decay": float("inf")}),
        (TrainingSettings, {"patience": -1}),
        (TrainingSettings, {"epoch": 3}),
        (ModelSettings, {"dropout": 1.0}),
        (ModelSettings, {"pooling": "mean"}),
        (ModelSettings, {"pooling": "flatten"}),
        (ModelSettings, {"softmax": "last"}),
        (EvaluationSettings, {"confidence": 0.5}),
        (TuningSettings, {"epochs": 1, "space": {"training.epochs": (2,)}}),
    ],
)
def test_a_value_that_a_setting_does_not_allow_is_refused(section, given):
    with pytest.raises(ValidationError):
        section(**given)


def test_a_section_cannot_be_changed():
    with pytest.raises(ValidationError):
        ModelSettings().dropout = 0.1


def test_every_signature_has_a_warm_up_request_by_default():
    assert ServingSettings().warmup_requests >= len(INPUTS)

"""TFX's Evaluators, run on hand-made reviews with the configs and extractors of the pipeline."""

import math
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import metrics_oracle
import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from tfx.types import standard_artifacts
from tiny_evaluator import evaluate, example, judge, predict, save_oracle, write_examples

from components.evaluator import metrics
from components.evaluator.eval_config import champion_config, modes_config
from components.evaluator.results import overall_metrics
from imdb_core.modes import BASELINE, CANDIDATE
from imdb_core.settings import EvaluationSettings

pytestmark = pytest.mark.slow

BUCKETS = ("001-050", "051-100", "401+")
MODELS = ("strong", "weak", "weaker", "coin")


def make_rows(count: int = 60) -> list[dict[str, object]]:
    """Makes reviews with each model's probability of the positive class.

    `weak` is wrong on 8 positive reviews of the longest bucket, `weaker` on 3 more, and `coin` guesses.
    """
    chance = random.Random(1)  # noqa: S311 - no secret
    rows = []
    for number in range(count):
        label = number % 2
        bucket = BUCKETS[2] if number < 16 else BUCKETS[number % 3 % 2]
        sure = 0.6 + 0.35 * chance.random()
        unlucky = number < 16 and label == 1
        weaker = unlucky or 20 <= number < 23
        rows.append(
            {
                "label": label,
                "bucket": bucket,
                "rating": None if number % 4 == 0 else 8 + label,
                "strong": towards(label, sure),
                "weak": towards(label, 1 - sure if unlucky else sure),
                "weaker": towards(label, 1 - sure if weaker else sure),
                "coin": chance.choice((0.45, 0.55)),
            }
        )
    return rows


def towards(label: int, probability: float) -> float:
    return float(np.float32(probability if label else 1 - probability))


ROWS = make_rows()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def models(folder):
    return {name: save_oracle(folder / name, name) for name in MODELS}


@pytest.fixture(scope="module")
def examples(folder):
    made = [example(**row) for row in ROWS]
    wrong = [example(**{**row, "label": 1 - row["label"]}) for row in ROWS[:20]]
    # The Evaluator may only read `test`.
    return write_examples(folder / "examples", {"train": [wrong], "test": [made[:40], made[40:]]})


@pytest.fixture(scope="module")
def modes(folder, models, examples):
    return evaluate(folder / "modes", modes_config(EvaluationSettings()), examples, models["weak"], models["strong"])


def by_slice(evaluation) -> dict[str, dict[tuple[str, str, bool], float]]:
    """Returns values by slice (`overall`, `length_bucket=401+`), then by model, name and whether it is a difference."""
    slices = {}
    for record in tfma.load_metrics(evaluation.uri):
        keys = record.slice_key.single_slice_keys
        name = "overall"
        if keys:
            value = getattr(keys[0], keys[0].WhichOneof("kind"))
            name = f"{keys[0].column}={value.decode() if isinstance(value, bytes) else value}"
        slices[name] = {
            (entry.key.model_name, entry.key.name, entry.key.is_diff): entry.value.double_value.value
            for entry in record.metric_keys_and_values
        }
    return slices


def expected(rows: Iterable[dict[str, object]]) -> dict[tuple[str, str, bool], float]:
    rows = list(rows)
    labels = [row["label"] for row in rows]
    says = {CANDIDATE: [row["weak"] for row in rows], BASELINE: [row["strong"] for row in rows]}
    values = {
        (model, name, False): value
        for model, positive in says.items()
        for name, value in metrics_oracle.single_model(labels, positive).items()
    }
    compared = metrics_oracle.paired(labels, says[BASELINE], says[CANDIDATE])
    return {**values, **{(CANDIDATE, name, True): value for name, value in compared.items()}}


SLICES: dict[str, Callable[[dict[str, object]], bool]] = {
    "overall": lambda row: True,
    **{f"length_bucket={name}": lambda row, name=name: row["bucket"] == name for name in BUCKETS},
    "rating=8": lambda row: row["rating"] == 8,
    "rating=9": lambda row: row["rating"] == 9,
}


@pytest.mark.parametrize("name", SLICES)
def test_each_slice_has_the_metrics_of_its_reviews(modes, name):
    evaluation, _ = modes
    measured = by_slice(evaluation)[name]
    wanted = expected(row for row in ROWS if SLICES[name](row))
    assert {key: measured[key] for key in wanted} == pytest.approx(wanted, nan_ok=True, abs=1e-9)


def test_there_are_no_other_slices(modes):
    assert set(by_slice(modes[0])) == set(SLICES)


def test_thresholds_do_not_apply_to_slices(modes):
    evaluation, blessed = modes
    measured = by_slice(evaluation)
    assert measured["length_bucket=401+"][CANDIDATE, metrics.ACCURACY, False] == 0.5
    assert math.isnan(measured["rating=8"][CANDIDATE, metrics.AUC, False])
    assert measured["overall"][CANDIDATE, metrics.ACCURACY, False] == pytest.approx(52 / 60)
    assert blessed


def test_overall_metrics_are_those_of_the_given_model(modes):
    evaluation, _ = modes
    wanted = expected(ROWS)
    for model in (CANDIDATE, BASELINE):
        measured = overall_metrics(evaluation.uri, model)
        own = {name: value for (of, name, difference), value in wanted.items() if of == model and not difference}
        assert {name: measured[name] for name in own} == pytest.approx(own, abs=1e-9)
    counts = overall_metrics(evaluation.uri, CANDIDATE)
    assert [counts[name] for name in metrics.PAIRED] == pytest.approx([8 / 60, 52, 8, 0, 0])
    assert not set(metrics.PAIRED) & set(overall_metrics(evaluation.uri, BASELINE))


def test_the_order_of_files_and_examples_does_not_change_the_metrics(folder, models, modes):
    shuffled = [example(**row) for row in ROWS]
    random.Random(2).shuffle(shuffled)  # noqa: S311 - no secret
    other = write_examples(folder / "shuffled", {"test": [shuffled[:7], shuffled[7:11], shuffled[11:]]})
    config = modes_config(EvaluationSettings())
    evaluation, _ = evaluate(folder / "again", config, other, models["weak"], models["strong"])
    first, second = by_slice(modes[0]), by_slice(evaluation)
    assert set(first) == set(second)
    for name, values in first.items():
        assert set(values) == set(second[name])
        np.testing.assert_array_equal(list(values.values()), [second[name][key] for key in values])


def test_the_evaluator_itself_loads_no_model(tmp_path, models, examples, modes):
    predictions = predict(tmp_path / "predictions", examples, models["weak"], models["strong"])
    gone = standard_artifacts.Model()
    gone.uri = "/nowhere"
    evaluation, _ = judge(tmp_path, modes_config(EvaluationSettings()), predictions, gone, gone)
    assert by_slice(evaluation)["overall"] == by_slice(modes[0])["overall"]


@pytest.mark.parametrize(
    ("candidate", "baseline", "drop", "blessed"),
    [
        ("weak", None, 0.0, True),
        ("coin", None, 0.0, False),
        ("weak", "weak", 0.0, True),
        ("weaker", "weak", 0.0, False),
        # 49 of 60 against 52 of 60: in floating point, the difference is slightly more than 3 / 60.
        ("weaker", "weak", 3 / 60, True),
    ],
)
def test_a_candidate_is_blessed_within_the_allowed_drop(tmp_path, models, examples, candidate, baseline, drop, blessed):  # noqa: PLR0917 - a table
    config = champion_config(EvaluationSettings(max_accuracy_drop=drop))
    outcome = evaluate(tmp_path, config, examples, models[candidate], models[baseline] if baseline else None)
    assert set(by_slice(outcome[0])) == {"overall"}
    assert outcome[1] == blessed

import json

import pytest

from pipeline.history.tuning import read_tuning, trials_table, tuned_settings, tuning_sentence
from pipeline.settings import flatten, load_settings

CURRENT = {"model.dropout": 0.5, "training.batch_size": 64}
BETTER = {"model.dropout": 0.3, "training.batch_size": 64}


@pytest.fixture
def artifacts(tmp_path):
    """What TFX's Tuner writes: the best values, and a row for each trial, best first."""

    def write(best, *rows):
        for name, file, content in (
            ("best", "best_hyperparameters.txt", {"space": [], "values": best}),
            ("results", "tuner_results.json", [{"trial_id": i, "score": score, **row} for i, score, row in rows]),
        ):
            (tmp_path / name).mkdir()
            (tmp_path / name / file).write_text(json.dumps(content))
        return [str(tmp_path / name) for name in ("best", "results")]

    return write


def test_the_best_values_are_shown_beside_the_values_they_replace(artifacts):
    tuning = read_tuning(load_settings(), *artifacts(BETTER, ("02", 0.28, BETTER), ("00", 0.3, CURRENT)))
    assert tuning == {
        "trials": [
            {"trial": 3, "eval_loss": 0.28, "values": BETTER},
            {"trial": 1, "eval_loss": 0.3, "values": CURRENT},
        ],
        "best": BETTER,
        "eval_loss": 0.28,
        "current_eval_loss": 0.3,
        "changed": {"model.dropout": [0.5, 0.3]},
    }
    assert tuning_sentence(tuning) == (
        "Tuned: eval loss 0.2800, the best of 2 trials; instead of 0.3000, with model.dropout 0.3 (was 0.5)."
    )


def test_a_search_that_finds_nothing_better_changes_nothing(artifacts):
    tuning = read_tuning(load_settings(), *artifacts(CURRENT, ("0", 0.3, CURRENT)))
    assert tuning["changed"] == {}
    assert tuning_sentence(tuning) == (
        "Tuned: eval loss 0.3000, the best of 1 trials; none improved the settings of this run."
    )


def test_settings_whose_training_fails_have_no_loss_to_compare_with(artifacts):
    tuning = read_tuning(load_settings(), *artifacts(BETTER, ("1", 0.28, BETTER)))
    assert tuning["current_eval_loss"] is None
    sentence = tuning_sentence(tuning)
    assert sentence.endswith(
        "training breaks down with the settings of this run, but not with model.dropout 0.3 (was 0.5)."
    )


def test_the_file_repeats_the_run_with_the_best_values_and_without_the_search(tmp_path):
    file = tmp_path / "my.toml"
    file.write_text('preset = "blog"\n[data]\nsource = "ünï.csv"\neval_fraction = 0.2\n[model]\ndropout = 0.1\n')
    space = 'tuning.space={"model.dropout" = [0.3], "training.batch_size" = [32]}'
    settings = load_settings(file, ["training.tune=true", "training.epochs=3", space])
    tuned = tmp_path / "tuned.toml"
    tuned.write_text(tuned_settings(settings, {"best": {"model.dropout": 0.3, "training.batch_size": 32}}))

    again = load_settings(tuned)
    expected = load_settings(file, ["training.epochs=3", "model.dropout=0.3", "training.batch_size=32", space])
    assert again.config == expected.config
    # What was not set before is not pinned now.
    assert {key for key, origin in again.origins.items() if origin == str(tuned)} == {
        *("preset", "data.source", "data.eval_fraction", "model.dropout"),
        *("training.epochs", "training.batch_size", "tuning.space"),
    }


def test_trials_are_listed_in_order_with_their_changed_values(artifacts):
    other = {"model.dropout": 0.5, "training.batch_size": 32}
    settings = load_settings()
    tuning = read_tuning(settings, *artifacts(BETTER, ("11", 0.28, BETTER), ("00", 0.3, CURRENT), ("02", 0.31, other)))
    table = trials_table(tuning, flatten(settings.config))
    assert table.columns == ["trial", "eval log loss", "dropout", "batch size"]
    assert table.rows == [
        ["settings of the run", "", "0.5", "64"],
        ["1", "0.3000", "", ""],
        ["3", "0.3100", "", "32"],
        ["12 (best)", "0.2800", "0.3", ""],
    ]

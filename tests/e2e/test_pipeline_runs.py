"""Whole runs on the sample, through the command that users type. The tests tell one story and run in this order."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sample_project import FIRST_RUN, FROM_TRAINERS, SMALL, TFX_RUN

from serving.runtime.cpp_loader import CppSavedModel

pytestmark = pytest.mark.e2e

IMDB_CORE = ("imdb_core/progress.py", "imdb_core/errors.py", "imdb_core/records.py")


def test_the_first_run_executes_every_node_and_pushes_a_version(project, first):
    record, _ = first
    assert sorted(record["executed"]) == sorted(FIRST_RUN)
    (version,) = project.versions()
    assert record["pushed"] == {"pushed": True, "path": str(version), "version": version.name}
    assert record["champion"]["blessed"]
    assert record["ingest"]["examples"]["test"] == {"negative": 100, "positive": 100}


def test_it_ends_with_what_a_person_wants(first):
    record, printed = first
    lines = printed.splitlines()
    assert len(lines) <= 24
    # On a busy machine a line may say what several nodes do.
    said = [part for line in lines for part in line.split("; ")]
    assert any(part.startswith("Trainer.vector ") and "best of 3 epochs" in part for part in said)
    assert any(line.startswith(f"Winner: {record['selection']['winner']}: ") for line in lines)
    assert any(line == f"Pushed: {record['pushed']['path']}" for line in lines)
    assert lines[-4] == "Next:"


def test_the_pushed_version_answers_in_the_cpp_loader(project, first):
    del first
    (version,) = project.versions()
    model = CppSavedModel(str(version))
    outputs = model.run("explain", {"text": np.array(["a wonderful film", ""], dtype=object)})
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1, atol=1e-6)
    assert [token.decode() for token in outputs["tokens"][0][:4]] == ["[START]", "a", "wonderful", "film"]
    np.testing.assert_allclose(outputs["attention"].sum(axis=1), 1, atol=1e-5)


def test_running_again_with_other_words_in_the_code_executes_nothing(project, first):
    project.append("README.md", "\nOne more line.\n")
    project.append("components/network/attention.py", "\n# One more comment.\n")
    for file in ("components/network/attention.py", "components/trainer/progress.py", *IMDB_CORE):
        path = project.root / file
        opening, _, rest = path.read_text().partition('"""')
        assert not opening
        path.write_text(f'"""Reworded: {rest}')
    project.replace("components/network/model.py", "mode: Mode) -> keras.Model", "mode: str) -> keras.Model")
    project.append("imdb_core/progress.py", "\nONE_MORE_MESSAGE = 'Done.'\n")
    record = project.succeed()
    assert record["executed"] == []
    assert record["selection"] == first[0]["selection"]
    assert len(project.versions()) == 1
    assert "no node executed" in project.printed


def test_the_two_steps_of_tfx_itself_run_the_same_pipeline(project, first, tmp_path):
    del first
    environ = {**project.environ, "HOME": str(tmp_path), "IMDB_SET": json.dumps(SMALL)}
    for command in (
        "tfx pipeline create --engine local --pipeline_path pipeline/local_runner.py",
        "tfx run create --engine local --pipeline_name imdb_attention",
    ):
        done = subprocess.run(
            command.split(), cwd=project.root, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "no node executed" in done.stdout


@pytest.fixture(scope="module")
def worse(project, first):
    """A run of other code that learns nothing: its record, and the line that says why nothing was pushed."""
    del first
    model = project.root / "components/network/model.py"
    lines = model.read_text().splitlines(keepends=True)
    (dropout,) = (number for number, line in enumerate(lines) if "dropout_before_dense" in line)
    assert 'name="dense"' in lines[dropout + 1]
    # Behind the layer that it stood before.
    lines[dropout - 1 : dropout + 2] = [lines[dropout + 1], *lines[dropout - 1 : dropout + 1]]
    model.write_text("".join(lines))
    (project.root / "my.toml").write_text("[training]\npatience = 0\n")
    record = project.succeed(
        "training.epochs=1", "training.learning_rate=1e-9", command=[*TFX_RUN, "--config", "my.toml"]
    )
    (reasons,) = (line for line in project.printed.splitlines() if line.startswith("Not pushed: "))
    return record, reasons


def test_moving_a_dropout_runs_from_the_trainers_on(worse):
    record, _ = worse
    assert sorted(record["executed"]) == sorted(FROM_TRAINERS)


def test_a_worse_model_is_not_pushed_and_the_run_says_by_how_much(project, first, worse):
    record, reasons = worse
    assert not record["champion"]["blessed"]
    assert record["pushed"] == {"pushed": False, "path": None, "version": None}
    accuracy, champion = record["champion"]["accuracy"], first[0]["champion"]["accuracy"]
    assert record["champion"]["baseline_accuracy"] == champion
    # Weights that never moved may rank reviews by luck, but their log loss stays near that of a coin, 0.693.
    loss, missed = re.search(r"log loss (\S+), required at most 0\.6500: missed by ([\d.]+)", reasons).groups()
    assert float(loss) == pytest.approx(0.693, abs=0.03)
    assert float(missed) == pytest.approx(float(loss) - 0.65, abs=1.01e-4)
    required = f"accuracy {accuracy:.4f}, required at least 0.5500: missed by {0.55 - accuracy:.4f}"
    assert (required in reasons) == (accuracy < 0.55)
    assert f"{100 * (champion - accuracy):.2f} points below the last blessed model's {champion:.4f}" in reasons
    assert len(project.versions()) == 1


@pytest.fixture(scope="module")
def tuned(project, worse):
    """The record of a run with the Tuner, after a change of the tokenizer."""
    del worse
    project.append("components/transform/preprocessing.py", "\n_ONE_MORE_CONSTANT = 1\n")
    record = project.succeed("training.tune=true", "tuning.trials=2", "training.epochs=1")
    (file,) = project.workspace.glob("reports/*/tuned.toml")
    assert f"--config {file}" in project.printed
    return record, file


def test_changing_the_tokenizer_runs_from_transform_on(tuned):
    record, _ = tuned
    assert sorted(record["executed"]) == sorted(["Transform", "Tuner", *FROM_TRAINERS])


def test_a_tuned_run_trains_both_modes_with_what_it_found_and_leaves_a_file_that_repeats_it(project, tuned):
    record, file = tuned
    assert re.findall(r"Tuner trial (\d/\d)", Path(record["log"]).read_text()) == ["1/2", "2/2"]
    assert record["tuning"]["eval_loss"] <= record["tuning"]["current_eval_loss"]

    done = subprocess.run(
        [*TFX_RUN, "--config", str(file)], cwd=project.root, env=project.environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    again = project.last_record()
    assert again["tuning"] is None
    assert {key: again["settings"][key] for key in record["tuning"]["best"]} == record["tuning"]["best"]
    assert again["selection"]["metrics"] == record["selection"]["metrics"]


def test_bad_settings_end_in_one_line_and_status_2(project):
    done = project.run("training.epoch=3")
    assert done.returncode == 2
    assert "error: unknown setting 'training.epoch' (--set); did you mean 'epochs'?" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_source_that_is_not_there_ends_in_status_1_and_names_the_node(project):
    done = project.run("data.source=nowhere.csv")
    assert done.returncode == 1
    assert "error: ImdbExampleGen failed: " in done.stderr
    assert "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_anomaly_stops_the_run_before_training_and_names_feature_and_reason(project, first):
    del first
    schema = project.root / "schemas" / "review.pbtxt"
    schema.write_text(schema.read_text().replace("min: 1 max: 10", "min: 1 max: 8"))
    done = project.run()
    assert done.returncode == 1
    assert "error: AnomalyGate failed: the data does not fit schemas/review.pbtxt" in done.stderr
    assert "train: rating: " in done.stderr
    assert "Trainer" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr

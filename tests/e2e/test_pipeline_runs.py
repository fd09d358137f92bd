"""Whole runs on the sample, through the command that users type. The tests tell one story and run in this order."""

import csv
import functools
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from components.cpp_loader import CppSavedModel
from components.ingest.sample import sample_review

ROOT = Path(__file__).resolve().parents[2]

SMALL = [
    "data.sample_train=600",
    "data.sample_test=200",
    "transform.vocabulary_size=2000",
    "transform.max_tokens=64",
    "model.embedding_dim=16",
    "model.gru_units=16",
    "model.dense_units=8",
    "model.word_dropout=0.1",
    "model.embedding_dropout=0.1",
    "model.dropout=0.1",
    "training.epochs=3",
    "training.batch_size=16",
    "evaluation.min_accuracy=0.55",
    "evaluation.min_auc=0.55",
]
TFX_RUN = ["tfx", "run", "create", "--pipeline", "pipeline/"]
UPSTREAM = ["ImdbExampleGen", "ImportSchemaGen", "StatisticsGen", "ExampleValidator", "AnomalyGate"]
FROM_TRAINERS = ["Trainer.scalar", "Trainer.vector", "Evaluator.modes", "ModeSelector", "Evaluator.champion", "Pusher"]
FIRST_RUN = [*UPSTREAM, "Transform", *FROM_TRAINERS]

pytestmark = pytest.mark.e2e


class Project:
    """A copy of the project, so that its code can be changed, with a workspace of its own."""

    def __init__(self, folder: Path):
        folder.mkdir(exist_ok=True)
        self.root = folder / "project"
        self.workspace = folder / "workspace"
        for name in ("pipeline", "components", "schemas"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "README.md", self.root)
        scripts = Path(sys.executable).parent
        self.environ = {
            **os.environ,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "HOME": str(folder),
            "IMDB_WORKSPACE": str(self.workspace),
        }

    def run(self, *settings: str, command: Sequence[str] = TFX_RUN) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.complete(command, settings),
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def complete(self, command: Sequence[str], settings: Sequence[str] = ()) -> list[str]:
        return [*command, *(f"--set={item}" for item in (*SMALL, *settings))]

    def succeed(self, *settings: str, command: Sequence[str] = TFX_RUN) -> dict:
        done = self.run(*settings, command=command)
        assert done.returncode == 0, done.stdout + done.stderr
        self.printed = done.stdout
        return self.last_record()

    def last_record(self) -> dict:
        return json.loads(sorted(self.workspace.glob("reports/*/run.json"))[-1].read_text())

    def versions(self) -> list[Path]:
        return sorted(
            path for path in (self.workspace / "models" / "imdb_attention").iterdir() if path.name.isdecimal()
        )

    def append(self, file: str, text: str) -> None:
        with (self.root / file).open("a") as opened:
            opened.write(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def first(project):
    record = project.succeed()
    return record, project.printed


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
    assert len(lines) <= 50
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


def test_the_printed_query_works_as_printed(project, first):
    _, printed = first
    query = next(line.strip() for line in printed.splitlines() if "saved_model_cli" in line)
    done = subprocess.run(["bash", "-c", query], env=project.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Result for output key probabilities" in done.stdout
    assert "positive" in done.stdout or "negative" in done.stdout


def test_the_readmes_query_explains_the_pushed_version(project, first):
    del first
    readme = (ROOT / "README.md").read_text()
    (query,) = re.findall(r"^saved_model_cli .*?(?:\\\n.*?)*$", readme, re.MULTILINE)
    folder = project.workspace.parent
    done = subprocess.run(
        ["bash", "-c", query], cwd=folder, env=project.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Result for output key attention" in done.stdout
    assert "masterpiece" in done.stdout


def test_running_again_executes_nothing(project, first):
    record = project.succeed()
    assert record["executed"] == []
    assert record["selection"] == first[0]["selection"]
    assert len(project.versions()) == 1
    assert "no node executed" in project.printed


def test_changing_the_readme_or_a_comment_executes_nothing_under_our_own_name_too(project, first):
    del first
    project.append("README.md", "\nOne more line.\n")
    project.append("components/attention.py", "\n# One more comment.\n")
    assert project.succeed(command=["imdb-attention", "run"])["executed"] == []


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


def test_a_worse_model_is_not_pushed_and_the_run_says_by_how_much(project, first):
    (project.root / "my.toml").write_text("[training]\nlearning_rate = 1e-9\n")
    record = project.succeed("training.epochs=1", command=[*TFX_RUN, "--config", "my.toml"])
    assert not record["champion"]["blessed"]
    assert record["pushed"] == {"pushed": False, "path": None, "version": None}
    accuracy, champion = record["champion"]["accuracy"], first[0]["champion"]["accuracy"]
    assert record["champion"]["baseline_accuracy"] == champion
    (reasons,) = (line for line in project.printed.splitlines() if line.startswith("Not pushed: "))
    assert f"accuracy {accuracy:.4f}, required at least 0.5500: missed by {0.55 - accuracy:.4f}" in reasons
    assert f"{100 * (champion - accuracy):.2f} points below the last blessed model's {champion:.4f}" in reasons
    assert len(project.versions()) == 1


def test_changing_the_model_code_runs_from_the_trainers_on(project, first):
    del first
    project.append("components/attention.py", "\n_ONE_MORE_CONSTANT = 1\n")
    assert sorted(project.succeed()["executed"]) == sorted(FROM_TRAINERS)


def test_changing_the_tokenizer_runs_from_transform_on(project, first):
    del first
    project.append("components/preprocessing.py", "\n_ONE_MORE_CONSTANT = 1\n")
    assert sorted(project.succeed()["executed"]) == sorted(["Transform", *FROM_TRAINERS])


def write_csv(path: Path, train: int, test: int) -> None:
    """Writes the sample's reviews the way a user would have them."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "split", "rating"])
        for split, number in (("train", train), ("test", test)):
            for index in range(number):
                review = sample_review(split, index, 1)
                rows.writerow([review.text, ("neg", "pos")[review.label], split, review.rating])


def test_a_killed_run_continues_and_ends_as_if_it_had_not_been_killed(tmp_path, first):
    project = Project(tmp_path)
    write_csv(project.root / "reviews.csv", train=600, test=200)
    running = subprocess.Popen(
        project.complete(TFX_RUN, ["data.source=reviews.csv"]),
        cwd=project.root,
        env=project.environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("Trainer.vector epoch 1/"):
            os.killpg(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL

    record = project.succeed("data.source=reviews.csv")
    assert sorted(record["executed"]) == sorted(set(FROM_TRAINERS) - {"Trainer.scalar"})
    epochs = [line.split()[2] for line in project.printed.splitlines() if line.startswith("Trainer.vector epoch")]
    assert epochs == ["2/3", "3/3"]
    # Same reviews, settings and seed, from a file, in another folder and in two pieces: the same figures.
    assert record["selection"] == first[0]["selection"]


def test_bad_settings_end_in_one_line_and_status_2(project):
    done = project.run("training.epoch=3")
    assert done.returncode == 2
    assert "error: unknown setting 'training.epoch'; did you mean 'epochs'?" in done.stderr
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
    assert not any(line.startswith(("Transform", "Trainer")) for line in done.stdout.splitlines())
    assert "Traceback" not in done.stdout + done.stderr


def test_the_download_and_the_blog_preset_run_through(tmp_path, first):
    """`data.source=imdb` and `preset=blog`, from a server that has a small archive in the official layout."""
    del first
    project = Project(tmp_path / "project")
    archive = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for split, number in (("train", 300), ("test", 100)):
            for index in range(number):
                review = sample_review(split, index, 2)
                name = f"aclImdb/{split}/{('neg', 'pos')[review.label]}/{index}_{review.rating}.txt"
                header = tarfile.TarInfo(name)
                text = review.text.encode()
                header.size = len(text)
                tar.addfile(header, io.BytesIO(text))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        record = project.succeed(
            "preset=blog",
            "data.source=imdb",
            f"data.download_url=http://127.0.0.1:{server.server_port}/{archive.name}",
            f"data.download_sha256={hashlib.sha256(archive.read_bytes()).hexdigest()}",
            "training.epochs=1",
            "evaluation.min_accuracy=0",
            "evaluation.min_auc=0",
            "evaluation.max_log_loss=9",
        )
        server.shutdown()
    assert "downloading" in project.printed
    assert record["ingest"]["examples"] == {
        "train": {"negative": 150, "positive": 150},
        "test": {"negative": 50, "positive": 50},
    }
    assert record["pushed"]["pushed"]
    # In scalar mode the blog's weights are all 1.
    model = CppSavedModel(record["pushed"]["path"])
    attention = model.run("explain", {"text": np.array(["a film"], dtype=object)})["attention"]
    expected = 1 if record["selection"]["winner"] == "scalar" else 1 / 16
    np.testing.assert_allclose(attention, expected, rtol=1e-5)

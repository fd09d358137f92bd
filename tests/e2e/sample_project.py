"""A copy of the project that end-to-end tests run and change, on a small sample and a small network."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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
    "training.learning_rate=0.01",
    "evaluation.min_accuracy=0.55",
    "evaluation.min_auc=0.55",
    "report.faithfulness_reviews=20",
]
TFX_RUN = ["tfx", "run", "create", "--pipeline", "pipeline/"]
UPSTREAM = ["ImdbExampleGen", "ImportSchemaGen", "StatisticsGen", "ExampleValidator", "AnomalyGate"]
TO_WINNER = [
    "Trainer.scalar",
    "Trainer.vector",
    "Predictions.scalar",
    "Predictions.modes",
    "Evaluator.modes",
    "ModeSelector",
]
FROM_TRAINERS = [*TO_WINNER, "Predictions.champion", "Evaluator.champion", "ServingCheck", "Pusher", "Explainer"]
FIRST_RUN = [*UPSTREAM, "Transform", *FROM_TRAINERS]


def guides() -> str:
    """The README and the pages that tell people what to type; commands in docs/results.md take hours."""
    pages = [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "results.md"]
    return "\n".join(page.read_text() for page in [ROOT / "README.md", *pages])


class Project:
    """A copy of the project, so that its code can be changed, with a workspace of its own."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root = folder / "project"
        self.workspace = folder / "workspace"
        scripts = Path(sys.executable).parent
        # Commands that only look at the workspace do so with the code under test, whatever becomes of the copy.
        self.readers_environ = {
            **os.environ,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "IMDB_WORKSPACE": str(self.workspace),
        }
        self.environ = {**self.readers_environ, "PYTHONPATH": str(self.root)}

    def make(self) -> "Project":
        """Copies the code."""
        for name in ("pipeline", "components", "serving", "imdb_core", "schemas"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "README.md", self.root)
        return self

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

    def replace(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text()
        assert text.count(old) == 1
        (self.root / file).write_text(text.replace(old, new))

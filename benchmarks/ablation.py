"""Runs the pipeline with and without one setting, and compares the models of each mode on the same reviews."""

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, pipeline_run
from benchmarks.comparison import run_command
from benchmarks.markdown import page, section, versions
from imdb_core.modes import MODES
from imdb_core.stats.paired import PairedOutcomes
from pipeline.study.predictions import check_same_reviews, read_preset_predictions
from pipeline.text_table import TextTable
from pipeline.tfx_cli.command import WORKSPACE_VARIABLE

AblationRecord = Mapping[str, Any]

DEFAULT: Final = "default"
CHANGED: Final = "changed"

_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Ablation:
    """What is compared.

    Attributes:
        setting: The setting, such as `transform.normalize`.
        value: Its value in the second run; the first has the default.
        data: `sample` or the path of an aclImdb .tar.gz.
        seed: The seed of both runs.
    """

    setting: str
    value: str | int | bool
    data: str
    seed: int = 1

    @property
    def command(self) -> str:
        """The command that repeats the comparison on any machine; paths are reduced to file names."""
        change = f"{self.setting}={json.dumps(self.value)}"
        options = ["--data", Path(self.data).name, "--seed", str(self.seed)]
        return shlex.join(["python", "-m", "benchmarks", "ablation", change, *options])


def run(ablation: Ablation, folder: Path) -> dict[str, Any]:
    """Runs the pipeline twice, each time in a workspace of its own below `folder`; returns the record as JSON.

    Raises:
        RunError: A run fails.
    """
    settings: dict[str, str | int] = {"data.source": ablation.data, "training.seed": ablation.seed}
    runs = {}
    for name, change in ((DEFAULT, {}), (CHANGED, {ablation.setting: ablation.value})):
        workspace, home = folder / name, folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        variables = {WORKSPACE_VARIABLE: str(workspace), "HOME": str(home)}
        process = run_command(pipeline_run.command({**settings, **change}), variables)
        runs[name] = pipeline_run.read_run(workspace, process)
    return {
        "ablation": asdict(ablation) | {"data": Path(ablation.data).name},
        "command": ablation.command,
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "machine": machine.describe(),
        "modes": compare(folder / DEFAULT, folder / CHANGED),
        "runs": runs,
    }


def compare(default: Path, changed: Path) -> dict[str, dict[str, Any]]:
    """Compares the models in two workspaces of one run each; the changed ones are the baseline.

    Returns:
        JSON by mode: the fields of PairedOutcomes, `accuracy` of both, the `difference` and its `interval` at 95%
        confidence, and `mcnemar_p`.

    Raises:
        RunError: The runs were tested on different reviews.
    """
    predictions = {
        name: read_preset_predictions([_predictions(workspace)])
        for name, workspace in ((DEFAULT, default), (CHANGED, changed))
    }
    check_same_reviews(predictions)
    labels = predictions[DEFAULT].labels
    compared: dict[str, dict[str, Any]] = {}
    for mode in MODES:
        is_right = {name: (found.positive[mode][0] > 0.5) == labels for name, found in predictions.items()}  # noqa: PLR2004
        candidate, baseline = is_right[DEFAULT], is_right[CHANGED]
        outcomes = PairedOutcomes(
            both_right=int((candidate & baseline).sum()),
            only_baseline_right=int((~candidate & baseline).sum()),
            only_candidate_right=int((candidate & ~baseline).sum()),
            both_wrong=int((~candidate & ~baseline).sum()),
        )
        compared[mode] = asdict(outcomes) | {
            "accuracy": {name: float(right.mean()) for name, right in is_right.items()},
            "difference": outcomes.accuracy_difference,
            "interval": outcomes.interval(_CONFIDENCE),
            "mcnemar_p": outcomes.mcnemar_p(),
        }
    return compared


def quality(record: AblationRecord) -> TextTable:
    """Draws the accuracy of each mode with and without the setting."""
    rows = []
    for mode, found in record["modes"].items():
        low, high = (f"{100 * bound:.2f}" for bound in found["interval"])
        rows.append(
            [
                mode,
                f"{found['accuracy'][DEFAULT]:.4f}",
                f"{found['accuracy'][CHANGED]:.4f}",
                f"{100 * found['difference']:+.2f} ({low} to {high})",
                f"{found['only_candidate_right']} / {found['only_baseline_right']}",
                f"{found['mcnemar_p']:.2g}",
            ]
        )
    columns = ["", DEFAULT, _changed(record), "points (95%)", "only the one / the other right", "McNemar p"]
    return TextTable("Accuracy on the test split", columns, rows)


def seconds(record: AblationRecord) -> TextTable:
    """Draws the seconds of each node with and without the setting, and their ratio."""
    both = [{node["node"]: node["seconds"] for node in record["runs"][name]["nodes"]} for name in (DEFAULT, CHANGED)]
    rows = [
        [node, f"{took:.1f}", f"{both[1][node]:.1f}", f"{took / both[1][node]:.2f}"]
        for node, took in both[0].items()
        if took and both[1].get(node) and took >= 1
    ]
    return TextTable("Seconds of nodes that took one or more", ["", DEFAULT, _changed(record), "ratio"], rows)


def markdown(record: AblationRecord) -> str:
    """Renders a record for docs/results.md."""
    return page(_lines(record))


def _lines(record: AblationRecord) -> Iterator[str]:
    yield from section(f"Without {record['ablation']['setting']}, {record['date'][:10]}", record["command"])
    described = record["machine"]
    what = f"{record['ablation']['data']}, seed {record['ablation']['seed']}"
    yield f"- {what}; {described['cpu']}, {described['cores']} cores."
    yield f"- Python {described['python']}, {versions(described['versions'].items())}; {record['date']}."
    yield ""
    yield from quality(record).markdown()
    yield from seconds(record).markdown()


def _changed(record: AblationRecord) -> str:
    return f"{record['ablation']['setting']} = {json.dumps(record['ablation']['value'])}"


def _predictions(workspace: Path) -> Path:
    return pipeline_run.only(workspace, "artifacts/Predictions.modes/predictions/*/Split-test")

import copy
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from pipeline.settings import flatten, load_settings

CURRENT = {"model.dropout": 0.5, "model.embedding_init": "cooccurrence", "training.batch_size": 64}
SET = [
    "data.source=/data/aclImdb_v1.tar.gz",
    'data.positive_labels=["good", "very good"]',
    "training.tune=true",
    "training.seed=7",
    "tuning.trials=4",
    'tuning.space={"model.dropout" = [0.3], "model.embedding_init" = ["uniform"], "training.batch_size" = [32]}',
]
BETTER = {**CURRENT, "model.dropout": 0.3}


@pytest.fixture
def tuned(run_json: dict[str, Any]) -> dict[str, Any]:
    """The `run.json` of a run that found something better in its third trial; the second failed."""
    run_json["settings"] = flatten(load_settings(None, SET).config)
    run_json["ingest"]["examples"]["eval"] = {"negative": 500, "positive": 734}
    run_json["versions"] = {"python": "3.10", "tensorflow": "2.16.2", "keras": "3.6.0", "tfx": "1.16.0", "numpy": "1"}
    run_json["tuning"] = {
        "trials": [
            {"trial": 3, "eval_loss": 0.28, "values": BETTER},
            {"trial": 1, "eval_loss": 0.3, "values": CURRENT},
            {"trial": 4, "eval_loss": 0.31, "values": {**CURRENT, "training.batch_size": 32}},
        ],
        "best": BETTER,
        "eval_loss": 0.28,
        "current_eval_loss": 0.3,
        "changed": {"model.dropout": [0.5, 0.3]},
    }
    return run_json


def rendered(file: Path, record: dict[str, Any]) -> list[str]:
    file.write_text(json.dumps(record))
    result = CliRunner().invoke(main, ["tuning", str(file)])
    assert result.exit_code == 0, result.output
    return str(result.output).split("\n")


def test_the_page_holds_every_trial_in_its_order(tuned: dict[str, Any], tmp_path: Path) -> None:
    page = rendered(tmp_path / "run.json", tuned)
    for line in (
        "## Tuner, 3 trials on aclImdb_v1.tar.gz",
        "- Trained on 24,999 reviews, scored on the 1,234 of `eval`; seed 7, mode both;"
        " run 2026-01-02T03:04:05.000001.",
        "- python 3.10, tensorflow 2.16.2, keras 3.6.0, tfx 1.16.0.",
        "- Test accuracy of the Trainers that it fed: scalar 0.8700, vector 0.8656.",
    ):
        assert line in page
    start = page.index("| trial | eval log loss | dropout | embedding init | batch size |")
    assert page[start + 2 : start + 6] == [
        "| settings of the run |  | 0.5 | cooccurrence | 64 |",
        "| 1 | 0.3000 |  |  |  |",
        "| 3 (best) | 0.2800 | 0.3 |  |  |",
        "| 4 | 0.3100 |  |  | 32 |",
    ]


@pytest.mark.parametrize("more", [[], ["preset=blog", "data.eval_fraction=0.1", "training.learning_rate=1e-12"]])
def test_the_command_repeats_the_run_even_if_defaults_change(
    tuned: dict[str, Any], tmp_path: Path, more: list[str]
) -> None:
    given = load_settings(None, [*SET, *more, *(f"{key}={value}" for key, value in CURRENT.items())]).config
    tuned["settings"] = flatten(given)
    page = "\n".join(rendered(tmp_path / "run.json", tuned))
    _, command, _ = page.split("```")
    words = shlex.split(command.removeprefix("sh\n").replace("\\\n", ""))
    assert words[:5] == ["tfx", "run", "create", "--pipeline", "pipeline/"]
    assert words[5::2] == ["--set"] * len(words[6::2])
    typed = words[6::2]
    again = load_settings(None, typed).config
    assert flatten(again) == {**flatten(given), "data.source": "aclImdb_v1.tar.gz"}
    # Searched settings are named even if they have their default values.
    assert {f"{key}={value}" for key, value in CURRENT.items()} <= set(typed)


def test_a_search_that_found_nothing_better(tuned: dict[str, Any], tmp_path: Path) -> None:
    tuned["tuning"] |= {"best": copy.deepcopy(CURRENT), "eval_loss": 0.3, "changed": {}}
    page = rendered(tmp_path / "run.json", tuned)
    assert "| 1 (best) | 0.3000 |  |  |  |" in page
    assert "| 3 | 0.2800 | 0.3 |  |  |" in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {},
            "is not the record of a run; expected a file that `tfx run create --set training.tune=true` wrote as "
            "run.json",
        ),
        ({"tuning": None}, "records a run without a search; expected a run with training.tune = true"),
    ],
)
def test_a_record_without_a_search_is_refused(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(content))
    refused = CliRunner().invoke(main, ["tuning", str(file)])
    assert refused.exit_code == 2
    assert message in refused.output

from __future__ import annotations

import importlib
import json
import logging
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner import executor
from tfx.types import standard_artifacts
from transformed_reviews import TRANSFORM, Transformed

from components.trainer import fitting
from components.trainer.datasets import Examples
from components.trainer.settings import FitSettings
from components.tuner import tuner_fn
from imdb_core.errors import BadDataError
from imdb_core.hyperparameters import with_values

pytestmark = pytest.mark.slow

CONFIG: Mapping[str, Any] = {
    "transform": TRANSFORM.model_dump(mode="json"),
    "model": {"embedding_dim": 4, "gru_units": 4, "dense_units": 4, "dropout": 0.2},
    "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.01, "schedule": "constant", "seed": 0}
    | {"patience": 2, "device": "cpu"},
    "tuning": {
        "trials": 3,
        "mode": "scalar",
        "space": {"model.dropout": [0, 0.4], "training.learning_rate": [0.001, 0.03, 0.1]},
    },
    "code_digest": "abc",
}
CURRENT = {"model.dropout": 0.2, "training.learning_rate": 0.01}


@pytest.fixture(scope="module")
def files(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The transformed reviews, laid out as TFX lays them out: two thirds to train on, one to score on."""
    folder = tmp_path_factory.mktemp("examples")
    for split, rows in (("train", transformed.rows[::3] + transformed.rows[1::3]), ("eval", transformed.rows[2::3])):
        (folder / f"Split-{split}").mkdir()
        with tf.io.TFRecordWriter(str(folder / f"Split-{split}" / "examples-0.gz"), options="GZIP") as writer:
            for row in rows:
                feature = {
                    name: tf.train.Feature(int64_list=tf.train.Int64List(value=row[name].reshape(-1)))
                    for name in ("token_ids", "label")
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return folder


def prepared(transformed: Transformed, files: Path, folder: Path, **tuning_settings: Any) -> Any:
    """A tuner as TFX's executor makes it."""
    # TFX reloads the module that it takes tuner_fn from; a reload must do no harm.
    return importlib.reload(tuner_fn).tuner_fn(FnArgs(**arguments(transformed, files, folder, **tuning_settings)))


def arguments(transformed: Transformed, files: Path, folder: Path, **tuning_settings: Any) -> dict[str, Any]:
    return {
        "train_files": [str(files / "Split-train" / "*")],
        "eval_files": [str(files / "Split-eval" / "*")],
        "transform_graph_path": transformed.output.transform_savedmodel_dir.removesuffix("/transform_fn"),
        "working_dir": str(folder / "temporary"),
        "custom_config": {
            **CONFIG,
            "tuning": {**CONFIG["tuning"], **tuning_settings},
            "checkpoint_root": str(folder / "kept"),
        },
    }


def search(transformed: Transformed, files: Path, folder: Path, **tuning_settings: Any) -> Any:
    result = prepared(transformed, files, folder, **tuning_settings)
    result.tuner.search(**result.fit_kwargs)
    return result.tuner


def tried(tuner: Any) -> list[tuple[dict[str, Any], float]]:
    return [(dict(trial.hyperparameters.values), trial.score) for trial in tuner.oracle.trials.values()]


@pytest.fixture(scope="module")
def tuner(transformed: Transformed, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tuner")
    tuner = search(transformed, files, folder)
    assert list((folder / "kept" / "tuning").iterdir()) == []
    return tuner


def test_the_current_settings_are_tried_first_and_the_best_by_eval_loss_wins(tuner: Any) -> None:
    trials = tried(tuner)
    assert len(trials) == 3
    assert trials[0][0] == CURRENT
    assert tuner.get_best_hyperparameters()[0].values == min(trials, key=lambda trial: trial[1])[0]


def test_the_seed_repeats_the_search_even_if_it_is_0(
    tuner: Any, transformed: Transformed, files: Path, tmp_path: Path
) -> None:
    assert tried(search(transformed, files, tmp_path)) == tried(tuner)


def test_an_interrupted_search_gives_the_same_result_and_repeats_no_finished_trial(
    tuner: Any, transformed: Transformed, files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Interruption(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("Tuner trial 2/3"):
                raise KeyboardInterrupt

    interruption = Interruption()
    progress = logging.getLogger("imdb_attention.progress")
    progress.addHandler(interruption)
    try:
        with caplog.at_level(logging.INFO), pytest.raises(KeyboardInterrupt):
            search(transformed, files, tmp_path)
    finally:
        progress.removeHandler(interruption)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert tried(search(transformed, files, tmp_path)) == tried(tuner)
    assert [line.partition(":")[0] for line in caplog.messages if line.startswith("trial of ")] == [
        "trial of Trainer.scalar, epoch 1"
    ]
    assert list((tmp_path / "kept" / "tuning").iterdir()) == []


def test_what_tfx_writes_reaches_the_settings_of_a_trainer_and_the_name_of_its_checkpoint(tuner: Any) -> None:
    found = json.loads(json.dumps(tuner.get_best_hyperparameters()[0].get_config()))["values"]
    assert set(found) == set(CURRENT)
    shared = {key: CONFIG[key] for key in ("transform", "model", "training", "code_digest")}
    given = FitSettings.model_validate({**shared, "mode": "scalar"})
    tuned = with_values(given, found)
    assert tuned.model.dropout == found["model.dropout"]
    assert tuned.training.learning_rate == found["training.learning_rate"]
    none = Examples(np.zeros([0, 12], np.int32), np.zeros([0], np.int32))
    assert found != CURRENT
    assert fitting.fingerprint(tuned, none, none) != fitting.fingerprint(given, none, none)


def test_tfx_s_own_executor_keeps_the_results_of_all_trials(tuner: Any, tmp_path: Path) -> None:
    outputs = {}
    for key, kind in (
        ("best_hyperparameters", standard_artifacts.HyperParameters),
        ("tuner_results", standard_artifacts.TunerResults),
    ):
        outputs[key] = [kind()]
        outputs[key][0].uri = str(tmp_path / key)
        (tmp_path / key).mkdir()
    executor.write_best_hyperparameters(tuner, outputs)
    rows = json.loads((tmp_path / "tuner_results" / "tuner_results.json").read_text())
    assert sorted(row["score"] for row in rows) == sorted(score for _, score in tried(tuner))
    (current,) = (row for row in rows if int(row["trial_id"]) == 0)
    assert {key: current[key] for key in CURRENT} == CURRENT


def test_epochs_reviews_and_modes_of_a_trial_are_settings(
    transformed: Transformed, files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        other = search(transformed, files, tmp_path, epochs=2, max_reviews=20, mode="both", trials=1)
    assert [line.partition(":")[0] for line in caplog.messages if line.startswith("trial of ")] == [
        f"trial of Trainer.{mode}, epoch {epoch}" for mode in ("scalar", "vector") for epoch in (1, 2)
    ]
    assert tried(other)[0][0] == CURRENT


def test_missing_eval_examples_are_a_clear_error(transformed: Transformed, files: Path, tmp_path: Path) -> None:
    (tmp_path / "Split-train").symlink_to(files / "Split-train")
    with pytest.raises(BadDataError, match=r"no examples of the split `eval`.*training.tune = false"):
        prepared(transformed, tmp_path, tmp_path)


def test_an_unknown_setting_is_refused_by_name(transformed: Transformed, files: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"tuning\.trails\n  Extra inputs are not permitted"):
        prepared(transformed, files, tmp_path, trails=3)


# In a process of its own, because a process configures its devices only once.
THREADS = """
    import json, sys
    import tensorflow as tf
    from tfx.components.trainer.fn_args_utils import FnArgs
    from components.tuner.tuner_fn import tuner_fn
    tuner_fn(FnArgs(**json.loads(sys.argv[1])))
    threading = tf.config.threading
    print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())
"""


def test_trials_compute_with_one_thread(transformed: Transformed, files: Path, tmp_path: Path) -> None:
    given = json.dumps(arguments(transformed, files, tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(THREADS), given],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 1"

from __future__ import annotations

import importlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from pydantic import ValidationError
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import run_fn
from components.trainer.settings import TrainerSettings
from components.transform import preprocessing
from imdb_core.errors import BadDataError
from imdb_core.settings import Section

pytestmark = pytest.mark.slow

CONFIG: Mapping[str, Any] = {
    "mode": "vector",
    "transform": {"vocabulary_size": 30, "max_tokens": 10},
    "model": {"embedding_dim": 6, "gru_units": 4, "dense_units": 4},
    "training": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "device": "cpu"},
    "serving": {"warmup_requests": 1},
    "code_digest": "abc",
    "trained_on": "sample",
}
REVIEWS = [("a good film", 1), ("a bad film", 0), ("good good fun", 1), ("bad<br />bad", 0), ("", 1)] * 6


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Transform graph and the transformed examples, laid out as TFX lays them out."""
    folder = tmp_path_factory.mktemp("transformed")
    spec = {"text": tf.io.FixedLenFeature([1], tf.string), "label": tf.io.FixedLenFeature([1], tf.int64)}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    rows = [{"text": np.array([text.encode()], object), "label": np.array([label])} for text, label in REVIEWS]
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        (data, result_metadata), transform_fn = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, {"transform": CONFIG["transform"]})
        )
        transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    coder = tft.coders.ExampleProtoCoder(result_metadata.schema)
    for split, part in (("train", data[:20]), ("eval", data[20:])):
        (folder / f"Split-{split}").mkdir()
        path = str(folder / f"Split-{split}" / "transformed_examples-00000-of-00001.gz")
        with tf.io.TFRecordWriter(path, options="GZIP") as writer:
            for row in part:
                writer.write(coder.encode(row))
    return folder


def fn_args(transformed: Path, folder: Path, **values: Any) -> FnArgs:
    return FnArgs(
        **{
            "train_files": [str(transformed / "Split-train" / "*")],
            "eval_files": [str(transformed / "Split-eval" / "*")],
            "transform_graph_path": str(transformed / "graph"),
            "serving_model_dir": str(folder / "Format-Serving"),
            "model_run_dir": str(folder / "model_run"),
            "custom_config": {**CONFIG, "checkpoint_root": str(folder / "checkpoints")},
            **values,
        }
    )


def run(arguments: FnArgs) -> None:
    arguments.transform_output = arguments.transform_graph_path  # as TFX's executor does
    # TFX reloads the module that it takes run_fn from; a reload must do no harm.
    importlib.reload(run_fn).run_fn(arguments)


def test_run_fn_leaves_a_model_its_history_its_logs_and_no_checkpoint(transformed: Path, tmp_path: Path) -> None:
    run(fn_args(transformed, tmp_path))

    history = json.loads((tmp_path / "model_run" / "history.json").read_text())
    names = ("loss", "log_loss", "accuracy", "val_log_loss", "val_accuracy")
    assert {key: len(values) for key, values in history.items()} == dict.fromkeys(names, 3)
    assert {path.name for path in (tmp_path / "model_run").iterdir()} == {"history.json", "train", "validation"}
    assert list((tmp_path / "checkpoints").iterdir()) == []
    served = tf.saved_model.load(str(tmp_path / "Format-Serving")).signatures["serve_text"]
    assert served(text=tf.constant(["a good film", ""]))["probabilities"].shape == (2, 2)


def test_run_fn_without_training_examples_says_so(transformed: Path, tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=r"no training examples in .*Split-none.*is the split `train` empty"):
        run(fn_args(transformed, tmp_path, train_files=[str(transformed / "Split-none" / "*")]))
    assert not (tmp_path / "Format-Serving").exists()


class Validations:
    """Counts the classes that are validated, nested sections excluded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.validated: list[str] = []
        original = Section.model_validate.__func__
        monkeypatch.setattr(Section, "model_validate", classmethod(self._counting(original)))

    def _counting(self, original: Any) -> Any:
        def model_validate(cls: type[Section], *args: Any, **kwargs: Any) -> Any:
            self.validated.append(cls.__name__)
            return original(cls, *args, **kwargs)

        return model_validate


def test_settings_are_validated_once(transformed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validations = Validations(monkeypatch)
    run(fn_args(transformed, tmp_path))
    assert validations.validated == ["TrainerSettings"]


def test_a_job_can_be_sent_to_another_process(tmp_path: Path) -> None:
    settings = TrainerSettings.model_validate({**CONFIG, "checkpoint_root": str(tmp_path)})
    job = run_fn.TrainerJob(settings, ["train"], [], "graph", "logs", "model")
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301


def config_with(folder: Path, section: str | None, key: str, value: Any) -> dict[str, Any]:
    config = {**CONFIG, "checkpoint_root": str(folder)}
    return {**config, key: value} if section is None else {**config, section: {**config[section], key: value}}


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        (None, "modle", {}, r"modle\n  Extra inputs are not permitted"),
        ("model", "dropuot", 0.1, r"model\.dropuot\n  Extra inputs are not permitted"),
        ("training", "epochs", "3", r"training\.epochs\n  Input should be a valid integer"),
        (None, "mode", "matrix", r"mode\n  Input should be 'scalar' or 'vector'"),
    ],
)
def test_an_unknown_key_or_a_wrong_value_is_refused_by_name_before_anything_is_trained(
    tmp_path: Path, section: str | None, key: str, value: Any, message: str
) -> None:
    arguments = fn_args(tmp_path, tmp_path, custom_config=config_with(tmp_path, section, key, value))
    with pytest.raises(ValidationError, match=message):
        run(arguments)
    assert list(tmp_path.iterdir()) == []


def test_found_hyperparameters_replace_settings(
    transformed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validations = Validations(monkeypatch)
    run(fn_args(transformed, tmp_path, hyperparameters={"values": {"training.epochs": 1}}))
    history = json.loads((tmp_path / "model_run" / "history.json").read_text())
    assert {len(values) for values in history.values()} == {1}
    # Once as they are given, once with what was found.
    assert validations.validated == ["TrainerSettings", "TrainerSettings"]


def test_found_hyperparameters_that_are_not_allowed_are_refused(tmp_path: Path) -> None:
    arguments = fn_args(tmp_path, tmp_path, hyperparameters={"values": {"model.dropout": 2.0}})
    with pytest.raises(ValidationError, match=r"model\.dropout\n  Input should be less than 1"):
        run(arguments)

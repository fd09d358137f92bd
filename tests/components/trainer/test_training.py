from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils
from tfx.components.trainer.fn_args_utils import FnArgs

from components.network.model import build_model
from components.trainer import fitting, run_fn
from components.trainer.checkpoints import EpochCheckpoint
from components.trainer.datasets import Examples, training_batches
from components.trainer.embedding_init import cooccurrence_vectors
from components.transform import preprocessing
from imdb_core.errors import BadDataError
from imdb_core.settings import ModelSettings, TransformSettings
from pipeline.settings.config import load_settings

CONFIG: Mapping[str, Any] = {
    "mode": "vector",
    "transform": {"vocabulary_size": 30, "max_tokens": 10},
    "model": {
        "embedding_dim": 6,
        "gru_units": 4,
        "dense_units": 4,
        "word_dropout": 0.2,
        "embedding_dropout": 0.2,
        "dropout": 0.2,
    },
    "training": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "label_smoothing": 0.1, "device": "cpu"},
    "serving": {"warmup_requests": 1},
    "code_digest": "abc",
}


def some_examples(count: int, seed: int) -> Examples:
    """Reviews in which word 4 is praise and word 5 is blame."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, size=count, dtype=np.int32)
    token_ids = rng.integers(6, 30, size=(count, 10), dtype=np.int32)
    token_ids[:, 0] = 1
    token_ids[np.arange(count), rng.integers(1, 8, size=count)] = np.where(labels, 4, 5)
    token_ids[rng.random(count) < 0.5, 8:] = 0
    return Examples(token_ids, labels)


TRAIN, HELD_OUT, NONE = some_examples(100, seed=1), some_examples(30, seed=2), some_examples(0, seed=3)


def changed(section: str, **values: Any) -> dict[str, Any]:
    return {**CONFIG, section: {**CONFIG[section], **values}}


def fit(
    folder: Path, config: Mapping[str, Any] = CONFIG, held_out: Examples = HELD_OUT, checkpoint: Any = EpochCheckpoint
) -> tuple[keras.Model, EpochCheckpoint]:
    saved = checkpoint(str(folder / "checkpoint"), config["training"].get("patience", 2), "val_log_loss")
    model = fitting.fit(
        config,
        TRAIN,
        held_out,
        strategy=tf.distribute.get_strategy(),
        checkpoint=saved,
        log_dir=str(folder / "logs"),
    )
    return model, saved


def equal_weights(one: keras.Model, two: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights(), strict=True))


class KilledError(Exception):
    pass


class KilledInTheSecondEpoch(EpochCheckpoint):
    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if self.epochs_done == 1 and batch == 5:
            raise KilledError


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, EpochCheckpoint]:
    return fit(tmp_path_factory.mktemp("uninterrupted"))


def test_the_same_seed_gives_the_same_weights(uninterrupted: Any, tmp_path: Path) -> None:
    model, checkpoint = uninterrupted
    again, same_checkpoint = fit(tmp_path)
    assert equal_weights(model, again)
    assert checkpoint.history == same_checkpoint.history


def test_interrupted_and_resumed_training_gives_the_very_same_weights(
    uninterrupted: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected, expected_checkpoint = uninterrupted
    with caplog.at_level(logging.INFO, logger="imdb_attention.progress"):
        with pytest.raises(KilledError):
            fit(tmp_path, checkpoint=KilledInTheSecondEpoch)
        resumed, checkpoint = fit(tmp_path)
    assert equal_weights(expected, resumed)
    assert checkpoint.history == expected_checkpoint.history
    assert checkpoint.epochs_done == 3

    lines = [record.getMessage() for record in caplog.records if record.name == "imdb_attention.progress"]
    first = expected_checkpoint.history
    assert [line.split("  ")[0] for line in lines] == [f"Trainer.vector epoch {epoch}/3" for epoch in (1, 2, 3)]
    assert lines[0].split("  ")[1:-1] == [
        f"loss {first['log_loss'][0]:.4f}",
        f"accuracy {first['accuracy'][0]:.4f}",
        f"eval loss {first['val_log_loss'][0]:.4f}",
        f"eval accuracy {first['val_accuracy'][0]:.4f}",
    ]
    assert lines[0].endswith(" s")

    # Killed once more, after the last epoch but before the model was exported: nothing is left to train.
    finished, _ = fit(tmp_path, checkpoint=KilledInTheSecondEpoch)
    assert equal_weights(expected, finished)


def test_training_begins_with_vectors_of_the_training_reviews(tmp_path: Path) -> None:
    # So small a rate that nothing moves.
    settings = {"epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0}
    network = changed("model", embedding_std=0.2)
    model, _ = fit(tmp_path / "new", {**network, "training": {**CONFIG["training"], **settings}})
    plain, _ = fit(
        tmp_path / "plain",
        {**changed("model", embedding_init="uniform"), "training": {**CONFIG["training"], **settings}},
    )
    uniform, *others = plain.get_weights()
    np.testing.assert_allclose(
        model.get_weights()[0], cooccurrence_vectors(TRAIN.token_ids, uniform, 0.2, seed=1), atol=1e-6
    )
    # The other weights begin as they would without.
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(model.get_weights()[1:], others, strict=True))


def test_averaging_keeps_other_weights_than_the_last(tmp_path: Path) -> None:
    averaged, with_average = fit(tmp_path / "averaged", changed("training", weight_average=0.9, patience=0))
    last, without = fit(tmp_path / "last", changed("training", weight_average=0.0, patience=0))
    assert not equal_weights(averaged, last)
    # Training itself takes no notice of what is evaluated and kept.
    assert with_average.history["loss"] == without.history["loss"]
    assert with_average.history["val_log_loss"] != without.history["val_log_loss"]


@pytest.mark.parametrize("mode", ["scalar", "vector"])
def test_preset_blog_trains_as_plain_keras_does(mode: Any, tmp_path: Path) -> None:
    preset = load_settings(None, ["preset=blog", "training.device=cpu", "training.batch_size=8"]).config
    config = {
        "mode": mode,
        "transform": CONFIG["transform"],
        "model": preset.model.model_dump(mode="json"),
        "training": preset.training.model_dump(mode="json"),
    }
    ours, _ = fit(tmp_path, config, held_out=NONE)

    keras.utils.set_random_seed(1)
    plain = build_model(ModelSettings(**config["model"]), TransformSettings(**config["transform"]), mode)
    plain.compile(keras.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    plain.fit(training_batches(TRAIN, 8, seed=1), steps_per_epoch=13, epochs=2, verbose=0)
    assert equal_weights(ours, plain)


def test_it_learns(tmp_path: Path) -> None:
    config = changed("training", epochs=25, patience=0, label_smoothing=0.0)
    history = fit(tmp_path, {**config, "model": {"embedding_dim": 6, "gru_units": 4}})[1].history
    assert history["val_accuracy"][-1] > 0.9
    np.testing.assert_allclose(history["loss"], history["log_loss"], rtol=1e-5)


def test_early_stopping_gives_back_the_best_weights(tmp_path: Path) -> None:
    model, checkpoint = fit(tmp_path, changed("training", epochs=30, learning_rate=0.3, patience=1))
    assert checkpoint.epochs_done < 30
    probabilities = model.predict(HELD_OUT.token_ids, verbose=0)
    log_loss = -np.log(probabilities[np.arange(30), HELD_OUT.labels]).mean()
    # The measure that decides knows nothing of the label smoothing of training.
    assert not np.allclose(checkpoint.history["loss"], checkpoint.history["log_loss"], rtol=1e-3)
    assert log_loss == pytest.approx(min(checkpoint.history["val_log_loss"]), abs=1e-5)


def test_without_eval_examples_all_epochs_run_and_the_last_weights_stay(tmp_path: Path) -> None:
    model, checkpoint = fit(tmp_path, changed("training", epochs=4, learning_rate=0.3, patience=1), held_out=NONE)
    assert checkpoint.epochs_done == 4
    assert set(checkpoint.history) == {"loss", "accuracy", "log_loss"}
    assert all(np.array_equal(a, b) for a, b in zip(checkpoint.model.get_weights(), model.get_weights(), strict=True))


class TestFingerprint:
    def test_does_not_depend_on_the_order_of_keys_or_on_what_leaves_weights_alone(self) -> None:
        expected = fitting.fingerprint(CONFIG, TRAIN, HELD_OUT)
        shuffled = {key: CONFIG[key] for key in reversed(CONFIG)} | {"checkpoint_root": "x", "serving": {}}
        assert fitting.fingerprint(shuffled, TRAIN, HELD_OUT) == expected
        assert len(expected) == 64

    @pytest.mark.parametrize(
        "other",
        [
            lambda: ({**CONFIG, "mode": "scalar"}, TRAIN, HELD_OUT),
            lambda: (changed("model", dropout=0.3), TRAIN, HELD_OUT),
            lambda: (changed("training", seed=2), TRAIN, HELD_OUT),
            lambda: (changed("transform", max_tokens=11), TRAIN, HELD_OUT),
            lambda: ({**CONFIG, "code_digest": "abd"}, TRAIN, HELD_OUT),
            lambda: (CONFIG, Examples(TRAIN.token_ids, 1 - TRAIN.labels), HELD_OUT),
            lambda: (CONFIG, Examples(TRAIN.token_ids[::-1], TRAIN.labels[::-1]), HELD_OUT),
            lambda: (CONFIG, TRAIN, NONE),
            lambda: (CONFIG, HELD_OUT, TRAIN),
        ],
    )
    def test_changes_with_all_that_weights_depend_on(
        self, other: Callable[[], tuple[Mapping[str, Any], Examples, Examples]]
    ) -> None:
        assert fitting.fingerprint(*other()) != fitting.fingerprint(CONFIG, TRAIN, HELD_OUT)


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
    # TFX reloads the module it takes run_fn from: nothing in it may mind.
    importlib.reload(run_fn).run_fn(arguments)


def test_run_fn_leaves_a_model_its_history_its_logs_and_no_checkpoint(transformed: Path, tmp_path: Path) -> None:
    run(fn_args(transformed, tmp_path))

    history = json.loads((tmp_path / "model_run" / "history.json").read_text())
    assert {key: len(values) for key, values in history.items()} == {
        key: 3 for name in ("loss", "accuracy", "log_loss") for key in (name, f"val_{name}")
    }
    assert {path.name for path in (tmp_path / "model_run").iterdir()} == {"history.json", "train", "validation"}
    assert list((tmp_path / "checkpoints").iterdir()) == []
    served = tf.saved_model.load(str(tmp_path / "Format-Serving")).signatures["serve_text"]
    assert served(text=tf.constant(["a good film", ""]))["probabilities"].shape == (2, 2)


def test_run_fn_without_training_examples_says_so(transformed: Path, tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=r"no training examples in .*Split-none.*is the split `train` empty"):
        run(fn_args(transformed, tmp_path, train_files=[str(transformed / "Split-none" / "*")]))
    assert not (tmp_path / "Format-Serving").exists()

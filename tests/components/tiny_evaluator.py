"""Runs node Predictions and TFX's Evaluator on a few hand-made reviews.

The models read their probability from the review.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.executor import Executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.evaluator import eval_config
from components.predictions.component import Predictions
from imdb_core import signatures
from imdb_core.features import LABEL, LENGTH_BUCKET, RATING, TEXT
from imdb_core.file_names import TRAINED_MODEL
from imdb_core.settings import BeamSettings


class Oracle(tf.Module):
    """A model that reads its probability of the positive class from a feature of the review.

    Args:
        feature: Name of the feature.
        weights: Number of float variables, all zero.
    """

    def __init__(self, feature: str, weights: int) -> None:
        super().__init__()
        self._feature = feature
        self.weights = tf.Variable(tf.zeros([weights, 1]))
        self.generator_state = tf.Variable([1, 2], dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {self._feature: tf.io.FixedLenFeature([], tf.float32)})
        positive = parsed[self._feature] + tf.reduce_sum(self.weights)
        return {signatures.PROBABILITIES: tf.stack([1.0 - positive, positive], axis=1)}


def save_oracle(folder: Path, feature: str, weights: int = 1) -> standard_artifacts.Model:
    """Saves an `Oracle` as the Trainer saves a model."""
    oracle = Oracle(feature, weights)
    tf.saved_model.save(oracle, str(folder / "Format-Serving"), {signatures.SERVING_DEFAULT: oracle.serve})
    (folder / TRAINED_MODEL).parent.mkdir()
    (folder / TRAINED_MODEL).write_bytes(feature.encode())
    model = standard_artifacts.Model()
    model.uri = str(folder)
    return model


def example(label: int, bucket: str, rating: int | None, **probabilities: float) -> tf.train.Example:
    features = {
        TEXT: _bytes(b"Some film."),
        LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        LENGTH_BUCKET: _bytes(bucket.encode()),
        **{
            name: tf.train.Feature(float_list=tf.train.FloatList(value=[probability]))
            for name, probability in probabilities.items()
        },
    }
    if rating is not None:
        features[RATING] = tf.train.Feature(int64_list=tf.train.Int64List(value=[rating]))
    return tf.train.Example(features=tf.train.Features(feature=features))


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def write_examples(
    folder: Path, shards: Mapping[str, Sequence[Sequence[tf.train.Example]]]
) -> standard_artifacts.Examples:
    """Writes examples as ImdbExampleGen does: some files for each split."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names(list(shards))
    for split, files in shards.items():
        target = folder / f"Split-{split}"
        target.mkdir(parents=True)
        for number, examples in enumerate(files):
            path = target / f"data_tfrecord-{number:05d}-of-{len(files):05d}.gz"
            with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
                for item in examples:
                    writer.write(item.SerializeToString())
    return artifact


def predict(  # noqa: PLR0917 - the node's inputs
    folder: Path,
    examples: standard_artifacts.Examples,
    candidate: standard_artifacts.Model,
    baseline: standard_artifacts.Model | None,
    known: standard_artifacts.Examples | None = None,
    known_baseline: standard_artifacts.Examples | None = None,
) -> standard_artifacts.Examples:
    """Runs the node's executor."""
    predictions = standard_artifacts.Examples()
    predictions.uri = str(folder)
    inputs = {
        "examples": examples,
        "candidate": candidate,
        "baseline": baseline,
        "known": known,
        "known_baseline": known_baseline,
    }
    Predictions.EXECUTOR_SPEC.executor_class().Do(
        # TFX passes an empty list for an optional input without an artifact.
        {name: [] if artifact is None else [artifact] for name, artifact in inputs.items()},
        {"predictions": [predictions]},
        {"code_digest": "any"},
    )
    return predictions


def evaluate(
    folder: Path,
    config: config_pb2.EvalConfig,
    examples: standard_artifacts.Examples,
    candidate: standard_artifacts.Model,
    baseline: standard_artifacts.Model | None,
) -> tuple[standard_artifacts.ModelEvaluation, bool]:
    """Runs the models, then the Evaluator on their predictions; see `judge`."""
    predictions = predict(folder / "predictions", examples, candidate, baseline)
    return judge(folder, config, predictions, candidate, baseline)


def judge(
    folder: Path,
    config: config_pb2.EvalConfig,
    predictions: standard_artifacts.Examples,
    candidate: standard_artifacts.Model,
    baseline: standard_artifacts.Model | None,
) -> tuple[standard_artifacts.ModelEvaluation, bool]:
    """Runs the Evaluator.

    Returns:
        The evaluation, and whether the candidate was blessed.
    """
    result, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    result.uri, blessing.uri = str(folder / "evaluation"), str(folder / "blessing")
    inputs: dict[str, list[Any]] = {"examples": [predictions], "model": [candidate]}
    if baseline is not None:
        inputs["baseline_model"] = [baseline]
    Executor(Executor.Context(beam_pipeline_args=list(BeamSettings().pipeline_args), tmp_dir=str(folder / "tmp"))).Do(
        inputs,
        {"evaluation": [result], "blessing": [blessing]},
        {
            "eval_config": proto_utils.proto_to_json(config),
            "example_splits": '["test"]',
            "fairness_indicator_thresholds": "null",
            "module_path": eval_config.EXTRACTORS,
        },
    )
    return result, blessing.get_int_custom_property("blessed") == 1

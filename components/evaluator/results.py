"""Reads the results of an Evaluator."""

import os

import tensorflow as tf
from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import MetricsForSlice

# TFMA's reader takes the folder for a pattern, and finds nothing where its path contains a bracket.
_FILES = "metrics-"


def overall_metrics(evaluation_uri: str, model_name: str) -> dict[str, float]:
    """Reads a model's metrics over all reviews, by name of the metric.

    Args:
        evaluation_uri: Folder of the Evaluator's ModelEvaluation artifact.
        model_name: `candidate` or `baseline`. The candidate's metrics include the paired ones.
    """
    result: dict[str, float] = {}
    names = sorted(name for name in tf.io.gfile.listdir(evaluation_uri) if name.startswith(_FILES))
    files = [os.path.join(evaluation_uri, name) for name in names]
    for record in map(MetricsForSlice.FromString, tf.data.TFRecordDataset(files).as_numpy_iterator()):
        if record.slice_key.single_slice_keys:
            continue
        for entry in record.metric_keys_and_values:
            if entry.key.model_name in (model_name, "") and not (entry.key.is_diff and entry.key.name in result):
                result[entry.key.name] = entry.value.double_value.value
    return result

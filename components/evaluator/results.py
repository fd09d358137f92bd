"""Reads the results of an Evaluator."""

import tensorflow_model_analysis as tfma


def overall_metrics(evaluation_uri: str, model_name: str) -> dict[str, float]:
    """Reads a model's metrics over all reviews, by name of the metric.

    Args:
        evaluation_uri: Folder of the Evaluator's ModelEvaluation artifact.
        model_name: `candidate` or `baseline`. The candidate's metrics include the paired ones.
    """
    result: dict[str, float] = {}
    for record in tfma.load_metrics(evaluation_uri):
        if record.slice_key.single_slice_keys:
            continue
        for entry in record.metric_keys_and_values:
            if entry.key.model_name in (model_name, "") and not (entry.key.is_diff and entry.key.name in result):
                result[entry.key.name] = entry.value.double_value.value
    return result

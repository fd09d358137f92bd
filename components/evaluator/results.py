"""Reads the results of an Evaluator."""

import tensorflow_model_analysis as tfma


def overall_metrics(evaluation_uri: str, model_name: str) -> dict[str, float]:
    """Reads the metrics over all reviews.

    Args:
        evaluation_uri: Folder of the Evaluator's ModelEvaluation artifact.
        model_name: `candidate` or `baseline`.

    Returns:
        Values by name of the metric. If a paired metric and a difference share a name, the candidate's own value wins.
    """
    result: dict[str, float] = {}
    for record in tfma.load_metrics(evaluation_uri):
        if record.slice_key.single_slice_keys:
            continue
        for entry in record.metric_keys_and_values:
            if entry.key.model_name in (model_name, "") and not (entry.key.is_diff and entry.key.name in result):
                result[entry.key.name] = entry.value.double_value.value
    return result

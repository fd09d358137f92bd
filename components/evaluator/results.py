"""Reads what an Evaluator measured."""

import tensorflow_model_analysis as tfma


def overall_metrics(evaluation_uri: str, model_name: str) -> dict[str, float]:
    """Reads what an Evaluator measured over all reviews.

    Args:
        evaluation_uri: of its ModelEvaluation artifact.
        model_name: `candidate` or `baseline`.

    Returns:
        Value by metric name. Where a paired metric and a difference share a name, the candidate's own value wins.
    """
    result: dict[str, float] = {}
    for record in tfma.load_metrics(evaluation_uri):
        if record.slice_key.single_slice_keys:
            continue
        for entry in record.metric_keys_and_values:
            if entry.key.model_name in (model_name, "") and not (entry.key.is_diff and entry.key.name in result):
                result[entry.key.name] = entry.value.double_value.value
    return result

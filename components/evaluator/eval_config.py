"""Configures what the Evaluators measure, and which thresholds a model must reach to be blessed."""

import json
from typing import Final

from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator import metrics, tfma_metric
from imdb_core import features
from imdb_core.code_digest import code_digest
from imdb_core.modes import BASELINE, CANDIDATE
from imdb_core.settings import EvaluationSettings

# The module whose extractors TFX's Evaluators use.
EXTRACTORS: Final = "components.evaluator.extractors"

# A drop of exactly the allowed size must pass: accuracies 0.88 and 0.87 differ by 0.010000000000000009.
ROUNDING: Final = 1e-9


def modes_config(settings: EvaluationSettings) -> config_pb2.EvalConfig:
    """Configures the comparison of the modes, with vector as candidate and scalar as baseline.

    The metrics are over all reviews, by length bucket and by rating; the absolute thresholds are over all reviews.
    """
    return _config(_absolute_thresholds(settings), [[], [features.LENGTH_BUCKET], [features.RATING]])


def champion_config(settings: EvaluationSettings) -> config_pb2.EvalConfig:
    """Configures the comparison of the winner with the last blessed model, over all reviews.

    TFMA ignores `max_accuracy_drop` while there is no blessed model; the absolute thresholds always apply.
    """
    thresholds = _absolute_thresholds(settings)
    thresholds[metrics.ACCURACY].change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
    thresholds[metrics.ACCURACY].change_threshold.absolute.value = -(settings.max_accuracy_drop + ROUNDING)
    return _config(thresholds, [[]])


def _absolute_thresholds(settings: EvaluationSettings) -> dict[str, config_pb2.MetricThreshold]:
    bounds = {
        metrics.ACCURACY: {"lower_bound": {"value": settings.min_accuracy}},
        metrics.AUC: {"lower_bound": {"value": settings.min_auc}},
        metrics.LOG_LOSS: {"upper_bound": {"value": settings.max_log_loss}},
    }
    return {name: config_pb2.MetricThreshold(value_threshold=bound) for name, bound in bounds.items()}


def _config(thresholds: dict[str, config_pb2.MetricThreshold], slices: list[list[str]]) -> config_pb2.EvalConfig:
    overall = [config_pb2.SlicingSpec()]
    per_slice = {
        name: config_pb2.PerSliceMetricThresholds(thresholds=[{"slicing_specs": overall, "threshold": threshold}])
        for name, threshold in thresholds.items()
    }
    metric = config_pb2.MetricConfig(
        class_name=tfma_metric.CLASS_NAME,
        module=tfma_metric.__name__,
        # TFX caches the Evaluator by this config, so a change of the code must change it.
        config=json.dumps({"code_digest": code_digest(tfma_metric.__name__, EXTRACTORS)}),
    )
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                name=role,
                # The Evaluator reads what `Predictions` wrote, and loads no model.
                model_type=constants.MATERIALIZED_PREDICTION,
                prediction_key=role,
                label_key=features.LABEL,
                is_baseline=role == BASELINE,
            )
            for role in (CANDIDATE, BASELINE)
        ],
        slicing_specs=[config_pb2.SlicingSpec(feature_keys=keys) for keys in slices],
        metrics_specs=[config_pb2.MetricsSpec(metrics=[metric], per_slice_thresholds=per_slice)],
    )

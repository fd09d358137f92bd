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

    Args:
        settings: The absolute thresholds.

    Returns:
        Metrics over all reviews, by length bucket and by rating; thresholds over all reviews.
    """
    return _config(_absolute_thresholds(settings), [[], [features.LENGTH_BUCKET], [features.RATING]])


def champion_config(settings: EvaluationSettings) -> config_pb2.EvalConfig:
    """Configures the comparison of the winner with the last blessed model.

    Args:
        settings: The absolute thresholds, and `max_accuracy_drop`. TFMA ignores the latter while there is no blessed
            model.

    Returns:
        Metrics and thresholds over all reviews.
    """
    thresholds = _absolute_thresholds(settings)
    thresholds[metrics.ACCURACY].change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
    thresholds[metrics.ACCURACY].change_threshold.absolute.value = -(settings.max_accuracy_drop + ROUNDING)
    return _config(thresholds, [[]])


def _absolute_thresholds(settings: EvaluationSettings) -> dict[str, config_pb2.MetricThreshold]:
    return {
        metrics.ACCURACY: _between(lower=settings.min_accuracy),
        metrics.AUC: _between(lower=settings.min_auc),
        metrics.LOG_LOSS: _between(upper=settings.max_log_loss),
    }


def _between(lower: float | None = None, upper: float | None = None) -> config_pb2.MetricThreshold:
    bounds = {"lower_bound": lower, "upper_bound": upper}
    given = {name: {"value": bound} for name, bound in bounds.items() if bound is not None}
    return config_pb2.MetricThreshold(value_threshold=config_pb2.GenericValueThreshold(**given))


def _config(thresholds: dict[str, config_pb2.MetricThreshold], slices: list[list[str]]) -> config_pb2.EvalConfig:
    overall = config_pb2.SlicingSpec()
    per_slice = {
        name: config_pb2.PerSliceMetricThresholds(
            thresholds=[config_pb2.PerSliceMetricThreshold(slicing_specs=[overall], threshold=threshold)]
        )
        for name, threshold in thresholds.items()
    }
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
        metrics_specs=[
            config_pb2.MetricsSpec(
                metrics=[
                    config_pb2.MetricConfig(
                        class_name=tfma_metric.CLASS_NAME,
                        module=tfma_metric.__name__,
                        # TFX caches the Evaluator by this config, so a change of the code must change it.
                        config=json.dumps({"code_digest": code_digest(tfma_metric.__name__, EXTRACTORS)}),
                    )
                ],
                per_slice_thresholds=per_slice,
            )
        ],
    )

"""Binary classification metrics for the Evaluators: one pass collects predictions, scikit-learn does the mathematics.

TFMA's own metrics take a Python step per review, metric, model and slice. On 25,000 reviews, two models and four slices
that was minutes; collecting three numbers per review and slice is seconds.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from sklearn import metrics as sklearn_metrics
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from imdb_core import features

CLASS_NAME: Final = "SentimentMetrics"

EXAMPLE_COUNT: Final = "example_count"
ACCURACY: Final = "accuracy"
AUC: Final = "auc"
LOG_LOSS: Final = "log_loss"
CALIBRATION: Final = "calibration"
CALIBRATION_ERROR: Final = "expected_calibration_error"
TRUE_POSITIVES: Final = "true_positives"
TRUE_NEGATIVES: Final = "true_negatives"
FALSE_POSITIVES: Final = "false_positives"
FALSE_NEGATIVES: Final = "false_negatives"
SINGLE_MODEL: Final = (
    EXAMPLE_COUNT,
    ACCURACY,
    AUC,
    LOG_LOSS,
    CALIBRATION,
    CALIBRATION_ERROR,
    TRUE_POSITIVES,
    TRUE_NEGATIVES,
    FALSE_POSITIVES,
    FALSE_NEGATIVES,
)

FLIP_RATE: Final = "flip_rate"
BOTH_RIGHT: Final = "both_right"
ONLY_BASELINE_RIGHT: Final = "only_baseline_right"
ONLY_CANDIDATE_RIGHT: Final = "only_candidate_right"
BOTH_WRONG: Final = "both_wrong"
PAIRED: Final = (FLIP_RATE, BOTH_RIGHT, ONLY_BASELINE_RIGHT, ONLY_CANDIDATE_RIGHT, BOTH_WRONG)

_CALIBRATION_BINS: Final = 10


def single_model_metrics(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> dict[str, float]:
    """Measures one model.

    Args:
        labels: int `[n]`, 0 or 1.
        positive: float `[n]`, probability of the positive class; above 0.5 the model says positive.

    Returns:
        A value for each name in `SINGLE_MODEL`. AUC is NaN where only one class occurs. `calibration` is the mean
        probability over the share of positive labels (1 is right, NaN without positives); the expected calibration
        error is the mean distance between the two in 10 equally wide bins, weighted by their sizes (Guo et al. 2017).
    """
    says_positive = positive > 0.5  # noqa: PLR2004 - argmax over two classes
    is_positive = labels == features.POSITIVE
    both_classes = bool(is_positive.any() and (~is_positive).any())
    bins = np.minimum((positive * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = np.abs(np.bincount(bins, weights=positive - labels, minlength=_CALIBRATION_BINS))
    return {
        EXAMPLE_COUNT: float(len(labels)),
        ACCURACY: float(np.mean(says_positive == is_positive)),
        AUC: float(sklearn_metrics.roc_auc_score(labels, positive)) if both_classes else float("nan"),
        LOG_LOSS: float(sklearn_metrics.log_loss(labels, positive, labels=[features.NEGATIVE, features.POSITIVE])),
        CALIBRATION: float(np.mean(positive) / np.mean(labels)) if is_positive.any() else float("nan"),
        CALIBRATION_ERROR: float(gaps.sum() / len(labels)),
        TRUE_POSITIVES: float(np.sum(says_positive & is_positive)),
        TRUE_NEGATIVES: float(np.sum(~says_positive & ~is_positive)),
        FALSE_POSITIVES: float(np.sum(says_positive & ~is_positive)),
        FALSE_NEGATIVES: float(np.sum(~says_positive & is_positive)),
    }


def paired_metrics(
    labels: npt.NDArray[Any], baseline: npt.NDArray[Any], candidate: npt.NDArray[Any]
) -> dict[str, float]:
    """Counts on which reviews two models agree.

    Args:
        labels: int `[n]`, 0 or 1.
        baseline: float `[n]`, its probability of the positive class.
        candidate: float `[n]`, likewise.

    Returns:
        A value for each name in `PAIRED`; all but the flip rate are numbers of reviews.
    """
    baseline_right = (baseline > 0.5) == (labels == features.POSITIVE)  # noqa: PLR2004 - argmax over two classes
    candidate_right = (candidate > 0.5) == (labels == features.POSITIVE)  # noqa: PLR2004 - as above
    return {
        FLIP_RATE: float(np.mean(baseline_right != candidate_right)),
        BOTH_RIGHT: float(np.sum(baseline_right & candidate_right)),
        ONLY_BASELINE_RIGHT: float(np.sum(baseline_right & ~candidate_right)),
        ONLY_CANDIDATE_RIGHT: float(np.sum(~baseline_right & candidate_right)),
        BOTH_WRONG: float(np.sum(~baseline_right & ~candidate_right)),
    }


class SentimentMetrics(metric_types.Metric):  # type: ignore[misc]  # TFMA ships no types
    """The TFMA metric: everything above under its own key, per model, and paired if the config names a baseline."""

    def __init__(self, name: str = CLASS_NAME, code_digest: str = ""):
        """`name` is what TFMA asks for; the keys are named after what they hold. `code_digest` tells caches apart."""
        del code_digest
        super().__init__(_computations, name=name)


metric_types.register_metric(SentimentMetrics)


def _computations(
    name: str,
    eval_config: config_pb2.EvalConfig,
    model_names: Iterable[str],
    **_: Any,
) -> metric_types.MetricComputations:
    del name
    models = list(model_names)
    baseline = next((spec.name for spec in eval_config.model_specs if spec.is_baseline), None)
    if baseline not in models or len(models) < 2:  # noqa: PLR2004 - a pair
        baseline = None
    combiner = _CollectPredictions(models, baseline)
    return [metric_types.MetricComputation(keys=combiner.keys, preprocessors=None, combiner=combiner)]


def _key(name: str, model: str, *, is_diff: bool = False) -> metric_types.MetricKey:
    # Thresholds that a config gives by name look for keys whose weighting is unset.
    return metric_types.MetricKey(name, model_name=model, example_weighted=None, is_diff=is_diff)


@dataclass
class _Predictions:
    """Labels `[n]`, and each model's probability of the positive class `[n]`."""

    labels: array = field(default_factory=lambda: array("b"))  # type: ignore[type-arg]  # array is generic from 3.12 on
    positive: list[array] = field(default_factory=list)  # type: ignore[type-arg]  # as above


class _CollectPredictions(beam.CombineFn):  # type: ignore[misc]  # Beam ships no types
    def __init__(self, models: list[str], baseline: str | None):
        self._models = models
        self._baseline = baseline
        self.keys = [_key(name, model) for model in models for name in SINGLE_MODEL]
        if baseline is not None:
            self.keys += [_key(name, model, is_diff=True) for model in models if model != baseline for name in PAIRED]

    def create_accumulator(self) -> _Predictions:
        return _Predictions(positive=[array("d") for _ in self._models])

    def add_input(self, accumulator: _Predictions, element: metric_types.StandardMetricInputs) -> _Predictions:
        # Of one group of reviews, see `components.evaluator.extractors`: labels `[m, 1]`, predictions `[m, 2]`.
        labels, predictions = element["labels"], element["predictions"]
        if isinstance(labels, dict):
            labels = labels[self._models[0]]
        accumulator.labels.frombytes(labels.astype(np.int8).tobytes())
        for values, model in zip(accumulator.positive, self._models, strict=True):
            probabilities = predictions[model] if isinstance(predictions, dict) else predictions
            values.frombytes(probabilities[:, features.POSITIVE].astype(np.float64).tobytes())
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Predictions]) -> _Predictions:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            merged.labels.extend(accumulator.labels)
            for into, values in zip(merged.positive, accumulator.positive, strict=True):
                into.extend(values)
        return merged

    def extract_output(self, accumulator: _Predictions) -> dict[metric_types.MetricKey, float]:
        labels = np.array(accumulator.labels)
        positive = {model: np.array(values) for model, values in zip(self._models, accumulator.positive, strict=True)}
        # Sums must not depend on the order in which Beam delivered the reviews.
        order = np.lexsort((*positive.values(), labels))
        labels = labels[order]
        result = {}
        for model, values in positive.items():
            for name, value in single_model_metrics(labels, values[order]).items():
                result[_key(name, model)] = value
            if self._baseline is not None and model != self._baseline:
                for name, value in paired_metrics(labels, positive[self._baseline][order], values[order]).items():
                    result[_key(name, model, is_diff=True)] = value
        return result

"""The TFMA metric of the Evaluators: one pass collects predictions, scikit-learn does the mathematics.

TFMA's own metrics take a Python step per review, metric, model and slice. For 25,000 reviews, two models and four
slices they take minutes; collecting three numbers per review and slice takes seconds.
"""

from array import array
from collections.abc import Iterable
from typing import Any, Final

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.metrics import PAIRED, SINGLE_MODEL, paired_metrics, single_model_metrics
from imdb_core import features

CLASS_NAME: Final = "SentimentMetrics"


class SentimentMetrics(metric_types.Metric):  # type: ignore[misc]  # TFMA ships no types
    """All metrics of `components.evaluator.metrics`: per model, and paired if the config names a baseline.

    TFMA requires `name`, although the keys of the metrics have their own. `code_digest` is only for the config, where
    it makes a new execution of the Evaluator.
    """

    def __init__(self, name: str = CLASS_NAME, code_digest: str = ""):
        del code_digest
        super().__init__(_computations, name=name)


metric_types.register_metric(SentimentMetrics)


def _computations(
    eval_config: config_pb2.EvalConfig, model_names: Iterable[str], **_: Any
) -> metric_types.MetricComputations:
    models = list(model_names)
    baseline = next((spec.name for spec in eval_config.model_specs if spec.is_baseline), None)
    if baseline not in models or len(models) == 1:
        baseline = None
    combiner = _CollectPredictions(models, baseline)
    return [metric_types.MetricComputation(keys=combiner.keys, preprocessors=None, combiner=combiner)]


def _key(name: str, model: str, *, is_diff: bool = False) -> metric_types.MetricKey:
    # TFMA looks up the thresholds of a config under keys whose weighting is unset.
    return metric_types.MetricKey(name, model_name=model, example_weighted=None, is_diff=is_diff)


# The labels, then each model's probabilities of the positive class.
_Columns = list[array]  # type: ignore[type-arg]  # array is generic from 3.12 on


class _CollectPredictions(beam.CombineFn):  # type: ignore[misc]  # Beam ships no types
    def __init__(self, models: list[str], baseline: str | None):
        self._models = models
        self._baseline = baseline
        self.keys = [_key(name, model) for model in models for name in SINGLE_MODEL]
        if baseline is not None:
            self.keys += [_key(name, model, is_diff=True) for model in models if model != baseline for name in PAIRED]

    def create_accumulator(self) -> _Columns:
        return [array("b"), *(array("d") for _ in self._models)]

    def add_input(self, accumulator: _Columns, element: metric_types.StandardMetricInputs) -> _Columns:
        # A group of reviews from `components.evaluator.extractors`: labels `[m, 1]`, predictions `[m, 2]`.
        labels, predictions = element["labels"], element["predictions"]
        if isinstance(labels, dict):
            labels = labels[self._models[0]]
        accumulator[0].frombytes(labels.astype(np.int8).tobytes())
        for values, model in zip(accumulator[1:], self._models, strict=True):
            probabilities = predictions[model] if isinstance(predictions, dict) else predictions
            values.frombytes(probabilities[:, features.POSITIVE].astype(np.float64).tobytes())
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Columns]) -> _Columns:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            for into, column in zip(merged, accumulator, strict=True):
                into.extend(column)
        return merged

    def extract_output(self, accumulator: _Columns) -> dict[metric_types.MetricKey, float]:
        labels, *columns = map(np.array, accumulator)
        positive = dict(zip(self._models, columns, strict=True))
        # Sorting makes the sums independent of the order in which Beam delivers the reviews.
        order = np.lexsort((*columns, labels))
        labels = labels[order]
        result: dict[metric_types.MetricKey, float] = {}
        for model, values in positive.items():
            own = single_model_metrics(labels, values[order])
            result |= {_key(name, model): value for name, value in own.items()}
            if self._baseline is not None and model != self._baseline:
                paired = paired_metrics(labels, positive[self._baseline][order], values[order])
                result |= {_key(name, model, is_diff=True): value for name, value in paired.items()}
        return result

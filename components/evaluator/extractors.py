"""Reads what `Predictions` wrote; TFX's Evaluator takes `custom_extractors` from this module.

TFMA's own extractors make an element of every review, which then takes some 0.1 ms of Python. Here an element is all
reviews of a batch that belong to the same slices. TFX reloads this module, so it must not define classes.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors.materialized_predictions_extractor import MaterializedPredictionsExtractor
from tensorflow_model_analysis.proto import config_pb2

# What TFMA passes from one extractor to the next: arrays, or dicts of arrays, by TFMA's keys.
Extracts = dict[str, Any]


def custom_extractors(eval_config: config_pb2.EvalConfig, **_: Any) -> list[tfma.extractors.Extractor]:
    """Returns TFMA's extractors of features, labels and predictions, with the grouping of reviews between them.

    Args:
        eval_config: A config whose model specs name a `prediction_key`.
    """
    keys = sorted({key for spec in eval_config.slicing_specs for key in spec.feature_keys})
    return [
        tfma.extractors.FeaturesExtractor(eval_config),
        tfma.extractors.LabelsExtractor(eval_config),
        MaterializedPredictionsExtractor(eval_config),
        tfma.extractors.Extractor("GroupReviews", beam.FlatMap(group_reviews, keys)),
        tfma.extractors.SliceKeyExtractor(eval_config=eval_config, materialize=False),
    ]


def group_reviews(batch: Extracts, keys: list[str]) -> Iterator[Extracts]:
    """Splits a batch into groups of reviews with the same values of the features to slice by.

    Args:
        batch: Features, labels and predictions of `n` reviews.
        keys: The features to slice by. A review may lack one.

    Yields:
        Extracts of one group of `m` reviews each: features `[1]`, labels `[m, 1]` and predictions `[m, 2]`. With
        several models, the latter two are dicts by name of the model.
    """
    features, labels = batch[tfma.FEATURES_KEY], batch[tfma.LABELS_KEY]
    size = len(next(iter(labels.values())) if isinstance(labels, dict) else labels)
    present = [key for key in keys if key in features]
    groups = defaultdict(list)
    for review, *values in zip(range(size), *(_values(features[key]) for key in present), strict=True):
        groups[tuple(values)].append(review)
    for values, reviews in groups.items():
        yield {
            tfma.FEATURES_KEY: {key: np.array(value) for key, value in zip(present, values, strict=True) if value},
            tfma.LABELS_KEY: _take(labels, reviews),
            tfma.PREDICTIONS_KEY: _take(batch[tfma.PREDICTIONS_KEY], reviews),
        }


def _values(column: Any) -> Iterator[tuple[Any, ...]]:
    """Yields the values of each review; an empty tuple if the feature is missing."""
    rows = column if isinstance(column, np.ndarray) else column.dense_rows()
    return (tuple(np.ravel(row)) for row in rows)


def _take(values: Any, reviews: list[int]) -> npt.NDArray[Any] | dict[str, npt.NDArray[Any]]:
    if isinstance(values, dict):
        return {name: column[reviews] for name, column in values.items()}
    return np.asarray(values[reviews])

import math

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import metrics_validator
from tfx.utils import proto_utils

from components.evaluator import metrics, tfma_metric
from components.evaluator.eval_config import EXTRACTORS, champion_config, modes_config
from imdb_core import features
from imdb_core.code_digest import code_digest
from imdb_core.modes import CANDIDATE
from imdb_core.settings import EvaluationSettings


@pytest.mark.parametrize(
    ("changed", "failures"),
    [
        ({}, set()),
        ({"accuracy": 0.69}, {"accuracy"}),
        ({"accuracy": 0.70}, set()),
        ({"auc": 0.74}, {"auc"}),
        ({"auc": math.nan}, {"auc"}),
        ({"log_loss": 0.66}, {"log_loss"}),
        ({"log_loss": math.log(2), "accuracy": 0.5, "auc": 0.5}, {"accuracy", "auc", "log_loss"}),
    ],
)
def test_each_absolute_threshold_alone_stops_a_model(changed, failures):
    values = {"accuracy": 0.8, "auc": 0.9, "log_loss": 0.5, **changed}
    measured = {tfma_metric._key(name, CANDIDATE): value for name, value in values.items()}
    config = tfma.utils.update_eval_config_with_defaults(modes_config(EvaluationSettings()), has_baseline=True)
    result = metrics_validator.validate_metrics(((), measured), config)
    assert {f.metric_key.name for s in result.metric_validations_per_slice for f in s.failures} == failures
    assert result.validation_ok == (not failures)
    # The same values in a slice do not matter.
    in_slice = metrics_validator.validate_metrics((((features.LENGTH_BUCKET, "401+"),), measured), config)
    assert in_slice.validation_ok


def test_thresholds_are_those_of_the_settings_on_the_overall_slice():
    settings = EvaluationSettings(min_accuracy=0.0, min_auc=0.8, max_log_loss=0.5, max_accuracy_drop=0.0)
    config = champion_config(settings)
    (spec,) = config.metrics_specs
    assert set(spec.per_slice_thresholds) == {metrics.ACCURACY, metrics.AUC, metrics.LOG_LOSS}
    accuracy = spec.per_slice_thresholds[metrics.ACCURACY].thresholds[0].threshold
    # Zero is a bound too; it must survive the JSON in which TFX stores the config.
    again = proto_utils.json_to_proto(proto_utils.proto_to_json(config), type(config)())
    assert again == config
    assert accuracy.value_threshold.HasField("lower_bound")
    assert accuracy.change_threshold.HasField("absolute")
    assert -1e-6 < accuracy.change_threshold.absolute.value < 0
    for per_slice in spec.per_slice_thresholds.values():
        (threshold,) = per_slice.thresholds
        (slicing,) = threshold.slicing_specs
        assert not slicing.feature_keys
        assert not slicing.feature_values
    assert (
        not modes_config(settings)
        .metrics_specs[0]
        .per_slice_thresholds[metrics.ACCURACY]
        .thresholds[0]
        .threshold.HasField("change_threshold")
    )


def test_a_change_of_the_evaluators_code_changes_the_config():
    # TFX caches an Evaluator by its config.
    for config in (modes_config(EvaluationSettings()), champion_config(EvaluationSettings())):
        (metric,) = config.metrics_specs[0].metrics
        assert code_digest("components.evaluator.tfma_metric", EXTRACTORS) in metric.config


def test_modes_are_sliced_by_length_and_rating():
    slices = [list(spec.feature_keys) for spec in modes_config(EvaluationSettings()).slicing_specs]
    assert slices == [[], [features.LENGTH_BUCKET], [features.RATING]]

from imdb_core.settings import EvaluationSettings
from pipeline.running.record import shortfalls

CANDIDATE = {"accuracy": 0.80, "auc": 0.90, "log_loss": 0.40}
SETTINGS = EvaluationSettings(min_accuracy=0.7, min_auc=0.75, max_log_loss=0.65, max_accuracy_drop=0.01)


def test_a_model_within_all_bounds_has_no_shortfalls():
    assert shortfalls(CANDIDATE, None, SETTINGS) == []
    assert shortfalls(CANDIDATE, {**CANDIDATE, "accuracy": 0.809}, SETTINGS) == []


def test_each_shortfall_says_by_how_much_the_threshold_was_missed():
    bad = {"accuracy": 0.65, "auc": 0.70, "log_loss": 0.70}
    assert shortfalls(bad, {**bad, "accuracy": 0.70}, SETTINGS) == [
        "accuracy 0.6500, required at least 0.7000: missed by 0.0500",
        "AUC 0.7000, required at least 0.7500: missed by 0.0500",
        "log loss 0.7000, required at most 0.6500: missed by 0.0500",
        "accuracy 0.6500 is 5.00 points below the last blessed model's 0.7000; allowed are 1.00",
    ]

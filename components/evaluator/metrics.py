"""The metrics of the Evaluators: their names, and how they are computed from labels and probabilities.

This module needs neither Beam nor TFMA, whose imports take seconds.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sklearn_metrics

from imdb_core import features
from imdb_core.stats.scores import calibration_error, is_right

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
_CONFUSION: Final = (TRUE_POSITIVES, TRUE_NEGATIVES, FALSE_POSITIVES, FALSE_NEGATIVES)
SINGLE_MODEL: Final = (EXAMPLE_COUNT, ACCURACY, AUC, LOG_LOSS, CALIBRATION, CALIBRATION_ERROR, *_CONFUSION)

FLIP_RATE: Final = "flip_rate"
BOTH_RIGHT: Final = "both_right"
ONLY_BASELINE_RIGHT: Final = "only_baseline_right"
ONLY_CANDIDATE_RIGHT: Final = "only_candidate_right"
BOTH_WRONG: Final = "both_wrong"
PAIRED: Final = (FLIP_RATE, BOTH_RIGHT, ONLY_BASELINE_RIGHT, ONLY_CANDIDATE_RIGHT, BOTH_WRONG)


def single_model_metrics(labels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> dict[str, float]:
    """Measures one model by each metric in `SINGLE_MODEL`.

    AUC is NaN if only one class occurs. `calibration` is the mean probability divided by the share of positive labels:
    1 is perfect, NaN means that there are no positives.

    Args:
        labels: The labels, int `[n]`, 0 or 1.
        positive: The probabilities of the positive class, float `[n]`.
    """
    right, is_positive = is_right(labels, positive), labels == features.POSITIVE
    both_classes = bool(is_positive.any() and (~is_positive).any())
    return {
        EXAMPLE_COUNT: float(len(labels)),
        ACCURACY: float(np.mean(right)),
        AUC: float(sklearn_metrics.roc_auc_score(labels, positive)) if both_classes else float("nan"),
        LOG_LOSS: float(sklearn_metrics.log_loss(labels, positive, labels=[features.NEGATIVE, features.POSITIVE])),
        CALIBRATION: float(np.mean(positive) / np.mean(labels)) if is_positive.any() else float("nan"),
        CALIBRATION_ERROR: calibration_error(labels, positive),
        TRUE_POSITIVES: float(np.sum(right & is_positive)),
        TRUE_NEGATIVES: float(np.sum(right & ~is_positive)),
        FALSE_POSITIVES: float(np.sum(~right & ~is_positive)),
        FALSE_NEGATIVES: float(np.sum(~right & is_positive)),
    }


def paired_metrics(
    labels: npt.NDArray[Any], baseline: npt.NDArray[Any], candidate: npt.NDArray[Any]
) -> dict[str, float]:
    """Measures by each metric in `PAIRED` how two models agree; all but the flip rate are numbers of reviews.

    Args:
        labels: The labels, int `[n]`, 0 or 1.
        baseline: The baseline's probabilities of the positive class, float `[n]`.
        candidate: The candidate's probabilities of the positive class, float `[n]`.
    """
    baseline_right, candidate_right = is_right(labels, baseline), is_right(labels, candidate)
    return {
        FLIP_RATE: float(np.mean(baseline_right != candidate_right)),
        BOTH_RIGHT: float(np.sum(baseline_right & candidate_right)),
        ONLY_BASELINE_RIGHT: float(np.sum(baseline_right & ~candidate_right)),
        ONLY_CANDIDATE_RIGHT: float(np.sum(~baseline_right & candidate_right)),
        BOTH_WRONG: float(np.sum(~baseline_right & ~candidate_right)),
    }

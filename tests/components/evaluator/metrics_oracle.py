"""The metrics of the Evaluators in plain Python, from their definitions, and reviews to measure them on."""

import math
from collections.abc import Sequence

from hypothesis import strategies as st

# Few distinct values, to include ties and the edges of bins.
PROBABILITIES = st.one_of(st.sampled_from([i / 20 for i in range(21)]), st.floats(0, 1, width=32))
# Reviews as label, probability of the baseline and probability of the candidate.
REVIEWS = st.lists(st.tuples(st.integers(0, 1), PROBABILITIES, PROBABILITIES), min_size=1, max_size=40)


def single_model(labels: Sequence[int], positive: Sequence[float]) -> dict[str, float]:
    pairs = list(zip(labels, positive, strict=True))
    n = len(pairs)
    counts = {
        "true_positives": sum(label == 1 and p > 0.5 for label, p in pairs),
        "true_negatives": sum(label == 0 and p <= 0.5 for label, p in pairs),
        "false_positives": sum(label == 0 and p > 0.5 for label, p in pairs),
        "false_negatives": sum(label == 1 and p <= 0.5 for label, p in pairs),
    }
    return {
        "example_count": n,
        "accuracy": (counts["true_positives"] + counts["true_negatives"]) / n,
        "auc": auc(labels, positive),
        "log_loss": -math.fsum(math.log(clip(p if label else 1 - p)) for label, p in pairs) / n,
        "calibration": math.fsum(positive) / sum(labels) if sum(labels) else math.nan,
        "expected_calibration_error": calibration_error(labels, positive),
        **counts,
    }


def paired(labels: Sequence[int], baseline: Sequence[float], candidate: Sequence[float]) -> dict[str, float]:
    right = [
        ((b > 0.5) == (label == 1), (c > 0.5) == (label == 1))
        for label, b, c in zip(labels, baseline, candidate, strict=True)
    ]
    return {
        "both_right": right.count((True, True)),
        "only_baseline_right": right.count((True, False)),
        "only_candidate_right": right.count((False, True)),
        "both_wrong": right.count((False, False)),
        "flip_rate": sum(b != c for b, c in right) / len(right),
    }


def auc(labels: Sequence[int], positive: Sequence[float]) -> float:
    """Returns the share of (positive, negative) pairs that are ranked correctly; a tie counts half."""
    above = [p for label, p in zip(labels, positive, strict=True) if label]
    below = [p for label, p in zip(labels, positive, strict=True) if not label]
    if not above or not below:
        return math.nan
    return sum((a > b) + (a == b) / 2 for a in above for b in below) / (len(above) * len(below))


def calibration_error(labels: Sequence[int], positive: Sequence[float]) -> float:
    bins: dict[int, list[tuple[int, float]]] = {}
    for label, p in zip(labels, positive, strict=True):
        bins.setdefault(min(int(p * 10), 9), []).append((label, p))
    gaps = [
        len(held) / len(labels) * abs(sum(p for _, p in held) / len(held) - sum(label for label, _ in held) / len(held))
        for held in bins.values()
    ]
    return math.fsum(gaps)


def clip(probability: float) -> float:
    return min(max(probability, 2.0**-52), 1 - 2.0**-52)

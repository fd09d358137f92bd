"""Runs the metric's combiner in the ways that Beam may run it."""

import itertools
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics_oracle import REVIEWS

from components.evaluator import tfma_metric
from components.evaluator.metrics import paired_metrics, single_model_metrics


def extracts(reviews, sizes: Iterator[int]) -> list[dict[str, object]]:
    """Makes groups of reviews as the Evaluators' extractors do."""
    groups = []
    while reviews:
        size = next(sizes)
        labels, baseline, candidate = (np.array(column) for column in zip(*reviews[:size], strict=True))
        reviews = reviews[size:]
        groups.append(
            {
                "labels": {"candidate": labels[:, np.newaxis], "baseline": labels[:, np.newaxis]},
                "predictions": {
                    "candidate": np.stack([1 - candidate, candidate], axis=1),
                    "baseline": np.stack([1 - baseline, baseline], axis=1),
                },
            }
        )
    return groups


@given(REVIEWS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_batching_do_not_change_the_result(reviews, random, parts):
    combiner = tfma_metric._CollectPredictions(["candidate", "baseline"], "baseline")

    def combine(elements, parts: int):
        accumulators = [combiner.create_accumulator() for _ in range(parts)]
        for element in elements:
            index = random.randrange(parts)
            accumulators[index] = combiner.add_input(accumulators[index], element)
        # Beam pickles accumulators between workers.
        accumulators = pickle.loads(pickle.dumps(accumulators))  # noqa: S301 - written a moment ago
        random.shuffle(accumulators)
        return combiner.extract_output(combiner.merge_accumulators(accumulators))

    whole = combine(extracts(reviews, itertools.repeat(len(reviews))), 1)
    labels, baseline, candidate = (np.array(column) for column in zip(*reviews, strict=True))
    own = single_model_metrics(labels, candidate)
    assert {name: whole[tfma_metric._key(name, "candidate")] for name in own} == pytest.approx(own, nan_ok=True)
    both = paired_metrics(labels, baseline, candidate)
    assert {name: whole[tfma_metric._key(name, "candidate", is_diff=True)] for name in both} == pytest.approx(both)

    random.shuffle(reviews)
    pieces = combine(extracts(reviews, iter(lambda: random.randint(1, 4), 0)), parts)
    assert set(whole) == set(pieces) == set(combiner.keys)
    np.testing.assert_array_equal([whole[key] for key in combiner.keys], [pieces[key] for key in combiner.keys])

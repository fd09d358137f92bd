import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.predictions import writing


def test_results_come_in_order_and_only_a_few_items_are_taken_ahead(monkeypatch):
    monkeypatch.setattr(writing, "usable_cores", lambda: 3)
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(3) as pool:
        results = writing._map_ahead(pool, lambda number: number**2, items())
        first = list(itertools.islice(results, 3))
        assert first == [0, 1, 4]
        assert len(taken) == 3 + 2 * 3
        assert [number**2 for number in range(3, 100)] == list(results)


class EchoModel:
    """Answers each example with its own number, and notes the sizes of the examples of each batch."""

    path = "echo"

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def run(self, signature, inputs):
        examples = list(inputs["examples"])
        self.batches.append([len(example) for example in examples])
        return {"probabilities": np.array([[float(example.split()[0]), 0.0] for example in examples], np.float32)}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(0, 50), max_size=40))
def test_examples_of_similar_length_share_a_batch_and_keep_their_order(monkeypatch, lengths):
    monkeypatch.setattr(writing, "_BATCH", 3)
    monkeypatch.setattr(writing, "_SORTED", 12)
    records = [b"%d %s" % (number, b"x" * length) for number, length in enumerate(lengths)]
    monkeypatch.setattr(writing, "records_in", lambda file: iter(records))
    model = EchoModel()
    with ThreadPoolExecutor(2) as pool:
        rows = list(writing.predicted_by(model, pool)("any"))
    assert [row[0] for row in rows] == list(range(len(lengths)))
    # Within 12 examples, no batch holds a shorter one than an earlier batch.
    for start in range(0, len(records), 12):
        sizes = sorted(map(len, records[start : start + 12]))
        for first in range(0, len(sizes), 3):
            assert sizes[first : first + 3] in model.batches

import itertools
from concurrent.futures import ThreadPoolExecutor

from components.predictions import writing


def test_results_come_in_order_and_only_a_few_items_are_taken_ahead(monkeypatch):
    monkeypatch.setattr(writing.os, "cpu_count", lambda: 3)
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

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from imdb_core.records import in_batches


@given(st.lists(st.integers()), st.integers(1, 10))
def test_batches_are_cut_in_order(items: list[int], size: int) -> None:
    cut = list(in_batches(items, size))
    assert [item for batch in cut for item in batch] == items
    assert all(len(batch) == size for batch in cut[:-1])
    assert all(0 < len(batch) <= size for batch in cut)


def test_no_more_is_taken_than_a_batch_needs() -> None:
    endless = count()
    assert next(in_batches(endless, 3)) == [0, 1, 2]
    assert next(endless) == 3

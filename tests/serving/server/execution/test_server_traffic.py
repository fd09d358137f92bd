import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.server.execution.traffic import LONGEST_SECONDS, Traffic

NOW = 100.0


def test_a_client_that_is_alone_never_waits():
    alone = Traffic()
    for _ in range(3):
        alone.arrived()
        assert alone.seconds_left(NOW, NOW) <= 0
        alone.in_flight -= 1


@pytest.mark.parametrize(
    ("in_flight", "now", "expected"),
    [
        (8, NOW, 0.0),  # all are there
        (9, NOW, 0.0),
        (5, NOW, LONGEST_SECONDS),
        (5, NOW + 0.01, LONGEST_SECONDS - 0.01),
        (5, NOW + LONGEST_SECONDS, 0.0),
    ],
)
def test_a_batch_waits_for_the_usual_calls(in_flight, now, expected):
    assert Traffic(in_flight=in_flight, usual=8).seconds_left(NOW, now) == pytest.approx(expected, abs=1e-9)


def test_clients_that_are_gone_are_waited_for_once():
    before = Traffic(in_flight=2, usual=8)
    before.settle()
    assert before.seconds_left(NOW, NOW) <= 0
    before.arrived()
    assert (before.in_flight, before.usual) == (3, 3)


@pytest.mark.parametrize(("calls", "batches", "share"), [(0, 2, 1), (1, 2, 1), (2, 2, 1), (7, 2, 4), (64, 1, 64)])
def test_simultaneous_batches_share_the_calls(calls, batches, share):
    assert Traffic(in_flight=calls).share(batches) == share


@given(in_flight=st.integers(0, 100), usual=st.integers(1, 100), waited=st.floats(0, 1))
def test_no_batch_waits_longer_than_the_limit(in_flight, usual, waited):
    left = Traffic(in_flight=in_flight, usual=usual).seconds_left(NOW, NOW + waited)
    assert waited + max(left, 0.0) <= max(waited, LONGEST_SECONDS) + 1e-9

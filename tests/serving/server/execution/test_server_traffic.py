import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.server.execution.traffic import LONGEST_SECONDS, QUIET_SECONDS, Traffic

NOW = 100.0


def traffic(*, in_flight: int, usual: int, latest: float = NOW) -> Traffic:
    made = Traffic(in_flight=in_flight, usual=usual)
    made.answering(latest)
    return made


def test_a_client_that_is_alone_never_waits():
    alone = Traffic()
    for call in range(3):
        alone.arrived(NOW + call)
        assert alone.seconds_left(NOW + call, NOW + call, is_busy=True) <= 0
        alone.waited()
        alone.in_flight -= 1


@pytest.mark.parametrize(
    ("in_flight", "latest", "now", "is_busy", "expected"),
    [
        (8, 0.0, 0.0, False, 0.0),  # all are there
        (9, 0.0, 0.0, True, 0.0),
        (5, 0.0, 0.0, False, QUIET_SECONDS),
        (5, 0.001, 0.0015, False, QUIET_SECONDS - 0.0005),  # from the latest call
        (5, -1.0, 0.0, False, QUIET_SECONDS),  # from the time when the batch could have run
        (5, 0.0, QUIET_SECONDS, False, 0.0),
        (5, 0.0, 0.01, True, LONGEST_SECONDS - 0.01),  # answers are being sent
        (5, 0.049, 0.05, False, 0.0),
        (5, 0.0, LONGEST_SECONDS, True, 0.0),
    ],
)
def test_a_batch_waits_for_the_usual_calls_while_there_are_signs_of_them(in_flight, latest, now, is_busy, expected):
    calls = traffic(in_flight=in_flight, usual=8, latest=NOW + latest)
    left = calls.seconds_left(NOW, NOW + now, is_busy=is_busy)
    assert left == pytest.approx(expected, abs=1e-9)


def test_clients_that_are_gone_are_waited_for_once():
    before = traffic(in_flight=2, usual=8)
    before.waited()
    assert before.seconds_left(NOW, NOW, is_busy=False) <= 0
    before.arrived(NOW)
    assert (before.in_flight, before.usual) == (3, 3)


@pytest.mark.parametrize(("calls", "batches", "share"), [(0, 2, 1), (1, 2, 1), (2, 2, 1), (7, 2, 4), (64, 1, 64)])
def test_simultaneous_batches_share_the_calls(calls, batches, share):
    assert Traffic(in_flight=calls).share(batches) == share


@given(
    calls=st.tuples(st.integers(1, 100), st.integers(1, 100)),
    latest=st.floats(-10, 10),
    waited=st.floats(0, 1),
    is_busy=st.booleans(),
)
def test_no_batch_waits_longer_than_the_limit(calls, latest, waited, is_busy):
    in_flight, usual = calls
    made = traffic(in_flight=in_flight, usual=usual, latest=NOW + latest)
    left = made.seconds_left(NOW, NOW + waited, is_busy=is_busy)
    assert waited + max(left, 0.0) <= max(waited, LONGEST_SECONDS) + 1e-9

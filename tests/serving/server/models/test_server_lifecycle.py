from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from serving.server.models.lifecycle import (
    UNLOAD_PATIENCE,
    Action,
    ServableState,
    ServableVersion,
    next_action,
    next_time,
)

START, LOADING, AVAILABLE, UNLOADING, END = ServableState
NOW = 100.0


def versions(**states: ServableState) -> list[ServableVersion]:
    return [ServableVersion(int(number[1:]), "", state) for number, state in states.items()]


def test_states_have_the_protocols_names_and_numbers() -> None:
    protocol = dict(ModelVersionStatus.State.items())
    del protocol["UNKNOWN"]
    assert protocol == {state.name: state.value for state in ServableState}


@pytest.mark.parametrize(
    ("states", "aspired", "expected"),
    [
        ({}, {}, None),
        ({"v1": START}, {1}, (Action.LOAD, 1)),
        ({"v1": START, "v2": START}, {1, 2}, (Action.LOAD, 2)),
        ({"v1": AVAILABLE}, {1}, None),
        # The new version is loaded before the old one is unloaded.
        ({"v1": AVAILABLE, "v2": START}, {2}, (Action.LOAD, 2)),
        ({"v1": AVAILABLE, "v2": AVAILABLE}, {2}, (Action.UNLOAD, 1)),
        ({"v1": AVAILABLE, "v2": AVAILABLE}, {1}, (Action.UNLOAD, 2)),
        # A broken version leaves one old version serving, not two.
        ({"v1": AVAILABLE, "v2": END}, {2}, None),
        ({"v1": AVAILABLE, "v2": AVAILABLE, "v3": END}, {3}, (Action.UNLOAD, 1)),
        ({"v2": AVAILABLE, "v3": END}, {3}, None),
        # No version is wanted.
        ({"v1": AVAILABLE}, {}, (Action.UNLOAD, 1)),
        ({"v1": START, "v2": LOADING}, {2}, (Action.GIVE_UP, 1)),
        ({"v2": LOADING}, {}, (Action.GIVE_UP, 2)),
        # Versions are unloaded before more are loaded.
        ({"v1": AVAILABLE, "v2": AVAILABLE, "v3": START}, {2, 3}, (Action.UNLOAD, 1)),
        ({"v1": UNLOADING, "v2": START}, {2}, (Action.CLOSE, 1)),
        ({"v1": END}, {1}, None),
        ({"v1": END}, {}, None),
    ],
)
def test_next_action(states: dict[str, ServableState], aspired: set[int], expected: tuple[Action, int] | None) -> None:
    found = next_action(versions(**states), aspired, NOW)
    assert expected == (found and (found[0], found[1].number))


def test_a_version_in_use_is_not_closed() -> None:
    used = ServableVersion(1, "", UNLOADING, holders=1)
    assert next_action([used], {}, NOW) is None
    used.holders = 0
    assert next_action([used], {}, NOW) == (Action.CLOSE, used)


def test_a_retry_waits_for_its_time_only() -> None:
    failed = ServableVersion(2, "", LOADING, failures=1, retry_at=NOW + 1)
    new = ServableVersion(1, "", START)
    assert next_action([failed], {1, 2}, NOW) is None
    assert next_action([failed, new], {1, 2}, NOW) == (Action.LOAD, new)
    assert next_action([failed], {1, 2}, NOW + 1) == (Action.LOAD, failed)


def test_a_load_waits_for_a_version_that_is_being_unloaded() -> None:
    leaving = ServableVersion(1, "", UNLOADING, holders=1, unloading_since=NOW)
    serving, new = ServableVersion(2, "", AVAILABLE), ServableVersion(3, "", START)
    again = ServableVersion(3, "", LOADING, failures=1, retry_at=NOW)
    for waiting in (new, again):
        versions = [leaving, serving, waiting]
        assert next_action(versions, {3}, NOW) is None
        assert next_time(versions, NOW) == NOW + UNLOAD_PATIENCE
        # Its last request may never end.
        assert next_action(versions, {3}, NOW + UNLOAD_PATIENCE) == (Action.LOAD, waiting)
        assert next_time(versions, NOW + UNLOAD_PATIENCE) is None
        leaving.holders = 0
        assert next_action(versions, {3}, NOW) == (Action.CLOSE, leaving)
        leaving.holders = 1
    # Nothing else could answer requests.
    assert next_action([leaving, new], {3}, NOW) == (Action.LOAD, new)


def test_the_next_time_is_the_next_retry() -> None:
    soon, late = (ServableVersion(n, "", LOADING, retry_at=NOW + n) for n in (1, 2))
    ended = ServableVersion(3, "", END, retry_at=NOW + 0.5)
    assert next_time([soon, late, ended], NOW) == NOW + 1
    assert next_time([soon, late, ended], NOW + 1) == NOW + 2
    assert next_time([soon, late, ended], NOW + 2) is None


@given(
    st.lists(st.tuples(st.sets(st.integers(1, 5)), st.sets(st.integers(1, 5))), min_size=1, max_size=6),
    st.data(),
)
def test_changes_settle_and_always_leave_an_available_version(
    phases: list[tuple[set[int], set[int]]], data: st.DataObject
) -> None:
    alive: dict[int, ServableVersion] = {}
    for aspired, broken in phases:
        for number in aspired:
            if number not in alive or alive[number].state is END:
                alive[number] = ServableVersion(number, "", START)
        steps = 0
        while (found := next_action(alive.values(), aspired, NOW)) is not None and data.draw(st.integers(0, 9)):
            action, version = found
            had_one = any(one.state is AVAILABLE for one in alive.values())
            match action:
                case Action.LOAD:
                    version.state = END if version.number in broken else AVAILABLE
                case Action.UNLOAD:
                    assert version.number not in aspired
                    version.state = UNLOADING
                case _:
                    version.state = END
            has_one = any(one.state is AVAILABLE for one in alive.values())
            assert has_one or not had_one or not aspired & alive.keys()
            steps += 1
            assert steps < 20
        if found is None:
            serving = {number for number, version in alive.items() if version.state is AVAILABLE}
            could = {number for number in aspired if alive[number].state is not END}
            assert could <= serving
            assert len(serving - aspired) <= (not could and bool(aspired))

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from text_servables import BROKEN, SECONDS, Events, TextLoader, push
from waiting import wait_until

from serving.server.errors import ServingError
from serving.server.models import lifecycle
from serving.server.models.lifecycle import ServableState
from serving.server.models.served_model import ServedModel


class Harness:
    """A model with two retries, its loader and its state changes."""

    def __init__(self, base_path: Path) -> None:
        self.base_path, self.load, self.events = base_path, TextLoader(), Events()
        self.model = ServedModel("m", self.load, self.events, load_retries=2, retry_seconds=0.01)

    def aspire(self, *versions: int) -> None:
        for version in versions:
            if not (self.base_path / str(version)).exists():
                push(self.base_path, version)
        self.model.aspire({version: str(self.base_path / str(version)) for version in versions})

    def serve(self, *versions: int) -> None:
        self.aspire(*versions)
        self.events.wait_for(lambda: self.model.available() == sorted(versions))


@pytest.fixture
def m(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.model.close()
    assert harness.model.wait_until_closed(time.monotonic() + SECONDS)
    assert (harness.load.open(), harness.load.wrong()) == ([], [])


def test_a_version_goes_through_all_states(m: Harness) -> None:
    m.serve(1)
    m.aspire()
    m.events.wait_for_state(1, ServableState.END)
    assert m.events.states() == ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]
    assert {(event.model, event.version, event.path, event.error) for event in m.events.all} == {
        ("m", 1, str(m.base_path / "1"), None)
    }
    assert m.model.states() == {1: (ServableState.END, None)}


def test_the_highest_available_version_is_acquired_unless_one_is_named(m: Harness) -> None:
    m.serve(0, 2, 3)
    held = [m.model.acquire(number) for number in (None, 0, 2, 4)]
    assert [version and version.number for version in held] == [3, 0, 2, None]
    for version in held[:3]:
        assert version.servable.version == version.number
        m.model.release(version)


def test_the_highest_version_is_loaded_first(m: Harness) -> None:
    m.serve(1, 2, 3)
    assert m.load.attempts == [3, 2, 1]


def test_a_new_version_is_loaded_before_the_old_one_is_unloaded(m: Harness) -> None:
    m.serve(1)
    gate = m.load.hold_up(2)
    m.aspire(2)
    m.events.wait_for_state(2, ServableState.LOADING)
    assert m.model.available() == [1]
    gate.set()
    m.events.wait_for_state(1, ServableState.END)
    assert [(event.version, event.state.name) for event in m.events.all[-4:]] == [
        (2, "LOADING"),
        (2, "AVAILABLE"),
        (1, "UNLOADING"),
        (1, "END"),
    ]


def test_a_version_in_use_is_not_unloaded(m: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "UNLOAD_PATIENCE", 0.0)
    m.serve(1)
    held = m.model.acquire(None)
    other = m.model.acquire(1)
    m.aspire(2)
    m.events.wait_for_state(1, ServableState.UNLOADING)
    m.model.release(other)
    # The thread that would unload it has loaded and unloaded other versions since.
    m.serve(2, 3)
    m.serve(3)
    m.events.wait_for_state(2, ServableState.END)
    assert (m.model.states()[1][0], held.servable.closed) == (ServableState.UNLOADING, 0)
    assert m.model.acquire(1) is None
    m.model.release(held)
    m.events.wait_for_state(1, ServableState.END)


def test_no_third_version_is_loaded_while_the_first_is_in_use(m: Harness) -> None:
    m.serve(1)
    held = m.model.acquire(None)
    m.aspire(2)
    m.events.wait_for_state(1, ServableState.UNLOADING)
    m.aspire(3)
    time.sleep(0.05)  # the thread has the time to load it
    assert (m.load.attempts, m.load.open()) == ([1, 2], [1, 2])
    assert m.model.states()[3][0] is ServableState.START
    m.model.release(held)
    m.events.wait_for_state(2, ServableState.END)
    assert m.model.available() == [3]


@pytest.mark.parametrize("retries", [0, 5])
def test_a_version_whose_files_arrive_slowly_is_loaded_when_they_rest(m: Harness, retries: int) -> None:
    m.model._load_retries, m.model._retry_seconds = retries, 3600.0
    m.serve(1)
    push(m.base_path, 2, BROKEN)
    m.aspire(2)
    failed = ServableState.END if not retries else ServableState.LOADING
    m.events.wait_for(lambda: m.events.all[-1].error and m.events.all[-1].state is failed)
    for _ in range(3):  # nothing has changed
        m.model.retry_changed()
    more = m.base_path / "2" / "variables"
    for size in (1, 2, 3):  # files arrive
        more.write_text("." * size)
        m.model.retry_changed()
    (m.base_path / "2" / "text").write_text("fine")
    m.model.retry_changed()
    assert m.load.attempts == [1, 2]
    m.model.retry_changed()
    m.events.wait_for(lambda: m.model.available() == [2])
    assert m.load.attempts == [1, 2, 2]
    assert m.model.states()[2] == (ServableState.AVAILABLE, None)


def test_a_change_of_the_files_gives_all_retries_again(m: Harness) -> None:
    m.model._load_retries, m.model._retry_seconds = 1, 0.2
    push(m.base_path, 1, BROKEN)
    m.aspire(1)
    m.events.wait_for(lambda: any(event.error for event in m.events.all))
    (m.base_path / "1" / "more").touch()
    m.events.wait_for_state(1, ServableState.END)
    assert m.load.attempts == [1, 1, 1]


def test_a_version_whose_files_change_during_the_load_is_not_served(m: Harness) -> None:
    push(m.base_path, 1)
    gate = m.load.hold_up(1)
    m.aspire(1)
    m.events.wait_for_state(1, ServableState.LOADING)
    wait_until(lambda: m.load.running)
    (m.base_path / "1" / "vocabulary").write_text("half")
    gate.set()
    m.events.wait_for(lambda: m.model.available() == [1])
    failure = next(event.error for event in m.events.all if event.error)
    assert failure.code is grpc.StatusCode.UNAVAILABLE
    assert failure.message == (
        f"The files in {m.base_path}/1 changed while they were loaded; perhaps they are still being copied"
    )
    assert [servable.closed for servable in m.load.loaded] == [1, 0]


def test_only_wanted_versions_are_loaded_again(m: Harness) -> None:
    m.model._load_retries = 0
    push(m.base_path, 1, BROKEN)
    m.aspire(1)
    m.events.wait_for_state(1, ServableState.END)
    m.aspire()
    (m.base_path / "1" / "text").write_text("fine")
    for _ in range(3):
        m.model.retry_changed()
    assert m.load.attempts == [1]


def test_a_broken_version_is_retried_and_leaves_the_old_one_serving(m: Harness) -> None:
    m.serve(1)
    push(m.base_path, 2, BROKEN)
    m.aspire(2)
    m.events.wait_for_state(2, ServableState.END)
    assert m.load.attempts == [1, 2, 2, 2]
    assert m.model.available() == [1]
    state, error = m.model.states()[2]
    assert (state, error.message) == (ServableState.END, "nothing to load in version 2")
    failures = [event for event in m.events.all if event.error]
    assert [event.state.name for event in failures] == ["LOADING", "LOADING", "END"]
    assert {event.error.code.name for event in failures} == {"NOT_FOUND"}


def test_the_status_shows_an_error_only_after_the_last_retry(m: Harness) -> None:
    m.model._load_retries, m.model._retry_seconds = 1, 3600.0
    push(m.base_path, 1, BROKEN)
    m.aspire(1)
    m.events.wait_for(lambda: len(m.events.all) == 3)
    assert m.model.states() == {1: (ServableState.LOADING, None)}
    m.aspire()  # ends the retries
    m.events.wait_for_state(1, ServableState.END)
    assert (m.load.attempts, m.model.states()[1][1].code) == ([1], grpc.StatusCode.NOT_FOUND)


def test_a_version_waiting_for_its_retry_does_not_delay_a_new_one(m: Harness) -> None:
    m.model._retry_seconds = 3600.0
    push(m.base_path, 1, BROKEN)
    m.aspire(1)
    m.events.wait_for(lambda: len(m.events.all) == 3)
    m.aspire(1, 2)
    m.events.wait_for_state(2, ServableState.AVAILABLE)
    assert m.model.states()[1][0] is ServableState.LOADING


def test_a_failed_version_is_loaded_again_after_it_was_removed(m: Harness) -> None:
    push(m.base_path, 1, BROKEN)
    m.aspire(1)
    m.events.wait_for_state(1, ServableState.END)
    (m.base_path / "1" / "text").write_text("fine")
    m.aspire(1, 2)
    m.events.wait_for_state(2, ServableState.AVAILABLE)
    assert m.model.states()[1][0] is ServableState.END
    m.aspire(2)
    m.serve(1, 2)
    assert m.model.states()[1] == (ServableState.AVAILABLE, None)


def test_a_removed_version_can_return(m: Harness) -> None:
    m.serve(1)
    m.aspire()
    m.events.wait_for_state(1, ServableState.END)
    m.serve(1)
    assert (m.load.attempts, len(m.load.loaded)) == ([1, 1], 2)


def test_a_version_can_return_while_it_is_unloaded(m: Harness) -> None:
    m.serve(1)
    held = m.model.acquire(1)
    m.aspire()
    m.events.wait_for_state(1, ServableState.UNLOADING)
    m.aspire(1)
    assert m.model.states() == {1: (ServableState.UNLOADING, None)}
    m.model.release(held)
    m.events.wait_for(lambda: m.model.available() == [1])
    assert held.servable is None
    assert len(m.load.loaded) == 2


def test_a_version_removed_during_its_load_is_unloaded(m: Harness) -> None:
    gate = m.load.hold_up(1)
    m.aspire(1)
    m.events.wait_for_state(1, ServableState.LOADING)
    m.aspire()
    gate.set()
    m.events.wait_for_state(1, ServableState.END)
    assert m.load.open() == []


def test_an_unexpected_exception_of_a_loader_is_an_internal_error(m: Harness) -> None:
    m.model._load_retries = 0
    m.model.aspire({1: str(m.base_path / "none")})
    m.events.wait_for_state(1, ServableState.END)
    error = m.model.states()[1][1]
    assert (error.code, error.message.startswith("FileNotFoundError: ")) == (grpc.StatusCode.INTERNAL, True)


def test_failing_listeners_and_unloads_do_not_end_the_thread(m: Harness) -> None:
    def fail(_: object) -> None:
        raise ValueError

    m.serve(1)
    m.model._publish = fail
    m.load.loaded[0].close, close = fail, m.load.loaded[0].close  # called without its argument, it raises TypeError
    m.model.aspire({})
    wait_until(lambda: m.model.states()[1][0] is ServableState.END)
    close()
    m.model._publish = m.events
    m.serve(2)


def test_waiting_for_a_version(m: Harness) -> None:
    with pytest.raises(ServingError, match="Model m did not become available in time") as raised:
        m.model.wait_until_served(time.monotonic() + 0.01)
    assert raised.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    gate = m.load.hold_up(2)
    push(m.base_path, 1, BROKEN)
    m.aspire(1, 2)
    threading.Timer(0.05, gate.set).start()
    assert m.model.wait_until_served() == {}
    assert m.model.available() == [2]


def test_waiting_ends_when_all_have_failed(m: Harness) -> None:
    push(m.base_path, 1, BROKEN)
    push(m.base_path, 2, BROKEN)
    m.aspire(1, 2)
    assert {version: error.code.name for version, error in m.model.wait_until_served().items()} == {
        1: "NOT_FOUND",
        2: "NOT_FOUND",
    }


def test_waiting_ends_when_the_model_is_withdrawn(m: Harness) -> None:
    m.model.withdraw()
    assert m.model.wait_until_served() == {}
    m.model.reinstate()
    with pytest.raises(ServingError):
        m.model.wait_until_served(time.monotonic())
    m.serve(1)
    m.model.withdraw()
    m.events.wait_for_state(1, ServableState.END)


def test_waiting_ends_when_the_model_is_closed(m: Harness) -> None:
    threading.Timer(0.05, m.model.close).start()
    with pytest.raises(ServingError, match="The server is stopping") as raised:
        m.model.wait_until_served()
    assert raised.value.code == grpc.StatusCode.UNAVAILABLE


def test_closing_waits_for_requests_and_loads_until_its_deadline(m: Harness) -> None:
    m.serve(1)
    held = m.model.acquire(1)
    gate = m.load.hold_up(2)
    m.aspire(1, 2)
    m.events.wait_for_state(2, ServableState.LOADING)
    m.model.close()
    assert not m.model.wait_until_closed(time.monotonic() + 0.02)
    gate.set()
    m.events.wait_for_state(2, ServableState.END)
    assert not m.model.wait_until_closed(time.monotonic() + 0.02)
    m.aspire(3)
    m.model.release(held)
    assert m.model.wait_until_closed(time.monotonic() + SECONDS)
    assert {number: state for number, (state, _) in m.model.states().items()} == {
        1: ServableState.END,
        2: ServableState.END,
    }


def test_a_model_without_versions_has_no_thread(m: Harness) -> None:
    before = threading.active_count()
    m.serve(1)
    assert threading.active_count() == before + 1
    m.aspire()
    assert m.model.wait_until_closed(time.monotonic() + SECONDS)
    assert threading.active_count() <= before + 1
    m.serve(1)

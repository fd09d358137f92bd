from __future__ import annotations

import threading
import time

import pytest

from serving.server.models.polling import Polling

SECONDS = 20.0


def test_a_failing_function_is_called_again(caplog: pytest.LogCaptureFixture) -> None:
    polling, called = Polling(), threading.Semaphore(0)

    def fail() -> None:
        called.release()
        raise ZeroDivisionError

    polling.each(0.001, fail, "file")
    assert all(called.acquire(timeout=SECONDS) for _ in range(3))
    polling.stop()
    polling.join(time.monotonic() + SECONDS)
    assert {record.message for record in caplog.records} == {"Unexpected error while polling the file"}


def test_stopping_does_not_wait_for_the_interval() -> None:
    polling = Polling()
    polling.each(3600.0, pytest.fail, "never")
    polling.stop()
    start = time.monotonic()
    polling.join(start + SECONDS)
    assert polling.is_stopping
    assert time.monotonic() < start + SECONDS


def test_joining_ends_at_its_deadline() -> None:
    polling, begun, done = Polling(), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        assert done.wait(SECONDS)

    polling.each(0.0, hang, "a file system that hangs")
    assert begun.wait(SECONDS)
    polling.stop()
    polling.join(time.monotonic() + 0.01)
    assert not done.is_set()
    done.set()
    polling.join(time.monotonic() + SECONDS)


def test_a_problem_is_logged_when_it_is_new(caplog: pytest.LogCaptureFixture) -> None:
    polling = Polling()
    for about, problem in [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2 %s"), ("a", ""), ("a", "2 %s"), ("a", "2 %s")]:
        polling.warn(about, problem)
    polling.stop()
    polling.warn("a", "3")
    assert caplog.messages == ["1", "1", "2 %s", "2 %s"]


def test_joining_while_a_thread_is_started_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    polling, start = Polling(), threading.Thread.start

    def stopped_meanwhile(thread: threading.Thread) -> None:
        polling.stop()
        polling.join(time.monotonic())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", stopped_meanwhile)
    polling.each(3600.0, pytest.fail, "never")

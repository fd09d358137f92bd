from __future__ import annotations

import logging
import shutil
import threading
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from managed_models import POLL, Harness, failure, lookup, statuses
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from text_servables import BROKEN, SECONDS, listed, model, push, spec
from waiting import wait_until

from serving.server.models.lifecycle import ServableState


def test_the_old_version_is_served_until_a_newer_one_is_available(h: Harness) -> None:
    manager = h.started(1, config=listed(model(h.base_path)))
    push(h.base_path, 3, BROKEN)
    h.events.wait_for_state(3, ServableState.END)
    assert lookup(manager) == 1
    push(h.base_path, 4)
    h.events.wait_for_state(1, ServableState.END)
    assert manager.available() == {"m": [4]}
    shutil.rmtree(h.base_path / "4")
    shutil.rmtree(h.base_path / "3")
    h.events.wait_for_state(4, ServableState.END)
    assert manager.available() == {"m": [1]}


def test_a_missing_base_path_changes_nothing_and_an_empty_one_unloads_everything(
    h: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    manager = h.started(1, 2)
    h.base_path.rename(h.base_path.with_name("away"))
    wait_until(lambda: "Could not find base path" in caplog.text)
    assert manager.available() == {"m": [1, 2]}
    h.base_path.mkdir()
    h.events.wait_for(lambda: manager.available() == {"m": []})
    wait_until(lambda: "Did you forget to name your leaf directory as a number" in caplog.text)
    time.sleep(5 * POLL)
    assert [caplog.text.count(words) for words in ("Could not find base path", "Did you forget")] == [1, 1]


def test_without_polling_versions_are_searched_once_per_config(h: Harness) -> None:
    manager = h.started(1, poll_seconds=0)
    push(h.base_path, 2)
    assert manager.available() == {"m": [1]}
    manager.reload(h.all())
    h.events.wait_for(lambda: manager.available() == {"m": [1, 2]})


def test_a_version_that_loads_slowly_does_not_hold_up_another_model(h: Harness, tmp_path: Path) -> None:
    push(h.base_path, 1)
    push(tmp_path / "n", 2)
    gate = h.load.hold_up(1)
    manager = h.manager()
    manager.start(listed(model(h.base_path), model(tmp_path / "n", "n")), wait=False)
    h.events.wait_for_state(2, ServableState.AVAILABLE)
    assert manager.available() == {"m": [], "n": [2]}
    gate.set()


@pytest.mark.parametrize(("threads", "at_once"), [(0, 4), (2, 2), (1, 1)])
def test_the_number_of_load_threads_limits_concurrent_loads(
    h: Harness, tmp_path: Path, threads: int, at_once: int
) -> None:
    gates = [h.load.hold_up(version) for version in range(4)]
    for version in range(4):
        push(tmp_path / f"n{version}", version)
    manager = h.manager(load_threads=threads)
    manager.start(listed(*(model(tmp_path / f"n{n}", f"n{n}") for n in range(4))), wait=False)
    wait_until(lambda: h.load.running == at_once)
    for gate in gates:
        gate.set()
    h.events.wait_for(lambda: all(manager.available().values()))
    assert h.load.most_at_once == at_once


def test_starting_waits_for_the_first_version_to_appear(h: Harness) -> None:
    manager = h.manager()
    threading.Timer(0.05, push, [h.base_path, 5]).start()
    manager.start(listed(model(h.base_path)), wait=True)
    assert lookup(manager) == 5


def test_starting_fails_if_nothing_can_be_loaded(h: Harness) -> None:
    push(h.base_path, 5, BROKEN)
    manager = h.manager()
    assert failure(lambda: manager.start(listed(model(h.base_path)), wait=True)) == (
        grpc.StatusCode.UNKNOWN,
        "1 servable(s) did not become available: "
        "{{{name: m version: 5} due to error: NOT_FOUND: nothing to load in version 5}, }",
    )


def test_starting_with_labels_needs_an_option(h: Harness) -> None:
    push(h.base_path, 5)
    assert failure(lambda: h.manager().start(h.all(stable=5), wait=True)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "Request to assign label to version 5 of model m, which is not currently available for inference",
    )
    manager = h.started(config=h.all(stable=5), allow_labels_for_unavailable=True)
    wait_until(lambda: manager.available() == {"m": [5]})
    assert lookup(manager, label="stable") == 5


def test_stopping_ends_a_waiting_start(h: Harness) -> None:
    manager = h.manager()
    threading.Timer(0.05, manager.stop).start()
    assert failure(lambda: manager.start(listed(model(h.base_path)), wait=True))[0] == grpc.StatusCode.UNAVAILABLE
    assert failure(lambda: manager.reload(listed()))[0] == grpc.StatusCode.UNAVAILABLE


def test_stopping_waits_for_requests_until_its_timeout(h: Harness, caplog: pytest.LogCaptureFixture) -> None:
    manager = h.started(1)
    with manager.lookup(spec()) as servable:
        manager.stop(timeout=0.02)
        assert (servable.closed, caplog.messages[-1:]) == (0, ["These models are still in use after 0.02 s: m"])
    manager.stop()
    assert servable.closed == 1
    manager.stop()


def test_stopping_does_not_wait_for_a_file_system_that_hangs(h: Harness) -> None:
    manager = h.started(1)
    with manager._looking:
        manager.stop(timeout=0.02)
        h.events.wait_for_state(1, ServableState.END)


def test_a_manager_that_was_never_started_can_be_stopped(h: Harness) -> None:
    h.manager().stop()


def test_reload_replaces_the_whole_config(h: Harness, tmp_path: Path) -> None:
    manager = h.started(1)
    push(tmp_path / "n", 2)
    manager.reload(listed(model(tmp_path / "n", "n")))
    assert lookup(manager, "n") == 2
    h.events.wait_for_state(1, ServableState.END)
    assert (manager.available(), statuses(manager)) == ({"n": [2]}, [(1, "END", 0, "")])
    manager.reload(listed(model(h.base_path)))
    assert lookup(manager) == 1


def test_reload_waits_for_new_models_and_names_those_that_fail(h: Harness, tmp_path: Path) -> None:
    manager = h.started(1)
    push(tmp_path / "n", 2, BROKEN)
    assert failure(lambda: manager.reload(listed(model(tmp_path / "n", "n"), *h.all().model_config_list.config))) == (
        grpc.StatusCode.UNKNOWN,
        "1 model(s) did not become available: "
        "{{{name: n version: 2} due to error: NOT_FOUND: nothing to load in version 2}, }",
    )
    assert lookup(manager) == 1
    missing = listed(model(tmp_path / "none", "o"), *h.all().model_config_list.config)
    code, message = failure(lambda: manager.reload(missing, time.monotonic() + 0.02))
    assert (code, message) == (grpc.StatusCode.DEADLINE_EXCEEDED, "Model o did not become available in time")
    push(tmp_path / "none", 3)
    wait_until(lambda: manager.available() == {"o": [3], "m": [1]})


def test_reload_waits_for_the_new_load_of_a_removed_model(h: Harness) -> None:
    push(h.base_path, 1, BROKEN)
    manager = h.manager()
    manager.start(h.all(), wait=False)
    h.events.wait_for_state(1, ServableState.END)
    manager.reload(listed())
    (h.base_path / "1" / "text").write_text("fine")
    manager.reload(h.all())
    assert lookup(manager) == 1


def test_a_waiting_reload_ends_when_another_one_removes_its_model(h: Harness, tmp_path: Path) -> None:
    manager = h.started(1)
    nothing = listed(model(tmp_path / "none", "n"))
    waiting = threading.Thread(target=manager.reload, args=[nothing])
    waiting.start()
    wait_until(lambda: manager.is_model("n"))
    manager.reload(h.all())
    waiting.join(SECONDS)
    assert not waiting.is_alive()


@pytest.mark.parametrize("what", ["", "custom_model_config { type_url: 'x' }"])
def test_reload_takes_lists_of_models_only(h: Harness, what: str) -> None:
    manager = h.started(1)
    config = text_format.Parse(what, ModelServerConfig())
    assert failure(lambda: manager.reload(config)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    )


def test_a_reload_that_is_refused_changes_nothing(h: Harness, tmp_path: Path) -> None:
    manager = h.started(1, 2)
    manager.reload(h.all(stable=1))
    twice = [model(tmp_path / "n", "n")] * 2
    for bad in (listed(*twice), h.specific(2, stable=9), h.specific(2, canary=9)):
        failure(lambda bad=bad: manager.reload(bad))
        assert (lookup(manager, label="stable"), manager.available()) == (1, {"m": [1, 2]})
    time.sleep(3 * POLL)
    assert manager.available() == {"m": [1, 2]}


def test_labels_are_applied_before_new_versions_load(h: Harness) -> None:
    manager = h.started(1, config=h.specific(1))
    push(h.base_path, 2)
    assert failure(lambda: manager.reload(h.specific(1, 2, canary=2))) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "Request to assign label to version 2 of model m, which is not currently available for inference",
    )
    assert failure(lambda: lookup(manager, version=2))[0] == grpc.StatusCode.NOT_FOUND
    manager.reload(h.specific(1, 2))
    h.events.wait_for_state(2, ServableState.AVAILABLE)
    manager.reload(h.specific(1, 2, canary=2))
    assert lookup(manager, label="canary") == 2
    manager.reload(h.specific(1, 2))
    assert failure(lambda: lookup(manager, label="canary"))[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_only_new_labels_may_name_unavailable_versions(h: Harness) -> None:
    manager = h.started(1, config=h.specific(1, stable=1), allow_labels_for_unavailable=True)
    manager.reload(h.specific(1, stable=1, canary=2))
    assert failure(lambda: lookup(manager, label="canary")) == (
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Specific(m, 2)",
    )
    manager.reload(h.specific(1, 2, stable=1, canary=2))  # the label is unchanged
    refused = failure(lambda: manager.reload(h.specific(1, 2, stable=2, canary=2)))
    assert refused[0] == grpc.StatusCode.FAILED_PRECONDITION
    assert (lookup(manager, label="stable"), manager.available()) == (1, {"m": [1]})


def test_changes_of_the_config_file_are_applied(h: Harness, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "models.config"

    def write(config: ModelServerConfig | str) -> None:
        text = config if isinstance(config, str) else text_format.MessageToString(config)
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").rename(file)

    push(h.base_path, 1)
    push(h.base_path, 2)
    write(h.specific(1))
    manager = h.manager(poll_seconds=3600)
    manager.start(h.specific(1), wait=True, config_file=file, config_file_poll_seconds=POLL)
    write(h.specific(2))
    h.events.wait_for_state(1, ServableState.END)
    assert manager.available() == {"m": [2]}

    def told(words: str) -> int:
        return sum(words in message for message in caplog.messages)

    for bad, words in (
        ("model_config_list {", "Error parsing text-format tensorflow.serving.ModelServerConfig"),
        (h.specific(2, stable=1), "models.config: FAILED_PRECONDITION: Request to assign label to version 1"),
        ("", "It is only legal to transition from one ModelConfigList to another"),
    ):
        write(bad)
        wait_until(lambda words=words: told(words))
        time.sleep(5 * POLL)
        assert (told(words), manager.available()) == (1, {"m": [2]})
    file.unlink()
    wait_until(lambda: told("No such file"))
    # The file overrides a config that came by RPC.
    manager.reload(h.specific(2, stable=2))
    write(h.specific(1, 2))
    h.events.wait_for(lambda: manager.available() == {"m": [1, 2]})
    assert failure(lambda: lookup(manager, label="stable"))[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unchanged_config_file_changes_nothing(h: Harness, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text(text_format.MessageToString(h.all()))
    push(h.base_path, 1)
    manager = h.manager(poll_seconds=0)
    manager.start(h.all(), wait=True, config_file=file, config_file_poll_seconds=POLL)
    push(h.base_path, 2)
    time.sleep(5 * POLL)
    assert manager.available() == {"m": [1]}


def test_a_config_refused_for_a_label_is_applied_when_the_version_is_available(h: Harness, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text(text_format.MessageToString(h.specific(1, 2, stable=2)))
    gate = h.load.hold_up(2)
    for version in (1, 2):
        push(h.base_path, version)
    manager = h.manager()
    manager.start(h.specific(1, 2), wait=False, config_file=file, config_file_poll_seconds=POLL)
    h.events.wait_for_state(2, ServableState.LOADING)
    assert failure(lambda: lookup(manager, label="stable"))[0] == grpc.StatusCode.INVALID_ARGUMENT
    gate.set()
    h.events.wait_for_state(1, ServableState.AVAILABLE)
    wait_until(lambda: dict(manager._labels or {}) == {"m": {"stable": 2}})
    assert lookup(manager, label="stable") == 2


def test_changes_are_logged(h: Harness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="serving")
    h.started(1, load_retries=1)
    push(h.base_path, 2, BROKEN)
    h.events.wait_for_state(2, ServableState.END)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "Servable {name: m version: 1} is START"),
        ("INFO", "Servable {name: m version: 1} is LOADING"),
        ("INFO", "Servable {name: m version: 1} is AVAILABLE"),
        ("INFO", "Servable {name: m version: 2} is START"),
        ("INFO", "Servable {name: m version: 2} is LOADING"),
        (
            "WARNING",
            "Servable {name: m version: 2} cannot be loaded; retrying in 0.01 s: NOT_FOUND: nothing to load in "
            "version 2",
        ),
        ("INFO", "Servable {name: m version: 2} is LOADING"),
        ("ERROR", "Servable {name: m version: 2} cannot be loaded: NOT_FOUND: nothing to load in version 2"),
    ]


@pytest.mark.parametrize("fault", ["a file", "a loop of links", "gone", "not a path"])
def test_a_base_path_that_cannot_be_read_is_said_once_and_concerns_no_other_model(
    h: Harness, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    bad = tmp_path / ("bad\0" if fault == "not a path" else "bad")
    if fault == "a file":
        bad.write_text("not a folder")
    elif fault == "a loop of links":
        bad.symlink_to("bad")
    push(h.base_path, 1)
    manager = h.manager()
    manager.start(listed(model(bad, "bad"), model(h.base_path)), wait=False)
    h.events.wait_for(lambda: manager.available() == {"bad": [], "m": [1]})
    push(h.base_path, 2)
    h.events.wait_for(lambda: manager.available() == {"bad": [], "m": [2]})
    time.sleep(5 * POLL)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [warning[: len("Could not find base path")] for warning in warnings] == ["Could not find base path"]


def test_a_model_folder_that_becomes_a_file_and_a_folder_again_keeps_its_version(h: Harness) -> None:
    manager = h.started(1)
    away = h.base_path.with_name("away")
    h.base_path.rename(away)
    h.base_path.write_text("not a folder")
    time.sleep(5 * POLL)
    assert manager.available() == {"m": [1]}
    h.base_path.unlink()
    push(away, 2)
    away.rename(h.base_path)
    h.events.wait_for(lambda: manager.available() == {"m": [1, 2]})


def test_versions_are_found_among_thousands_of_other_files(h: Harness) -> None:
    for number in range(3000):
        (h.base_path / f"{number}.tmp").touch()
    manager = h.started(1, poll_seconds=0.05)
    push(h.base_path, 2)
    h.events.wait_for(lambda: manager.available() == {"m": [1, 2]})

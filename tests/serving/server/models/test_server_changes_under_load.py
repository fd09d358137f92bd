from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import grpc
import numpy as np
import pytest
import tiny_models
from managed_models import POLL, Harness, Traffic, statuses
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from text_servables import BROKEN, SECONDS, Events, listed, model, push, spec
from waiting import wait_until

from serving.server.errors import ServingError
from serving.server.execution.servable import Servable
from serving.server.models.lifecycle import ServableState
from serving.server.models.manager import ModelManager

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def test_no_request_is_lost_while_versions_change(h: Harness) -> None:
    manager = h.started(1, config=listed(model(h.base_path)))
    with Traffic(manager, *({} for _ in range(8))) as traffic:
        for version in range(2, 32):
            push(h.base_path, version, BROKEN if version % 5 == 0 else "fine")
            h.events.wait_for_state(version, ServableState.END if version % 5 == 0 else ServableState.AVAILABLE)
            if version > 3:
                shutil.rmtree(h.base_path / str(version - 2))
        # The newest versions are removed, so that an older one returns.
        for version in (31, 30):
            shutil.rmtree(h.base_path / str(version))
        push(h.base_path, 29)
        h.events.wait_for_state(29, ServableState.AVAILABLE)
        wait_until(lambda: 29 in traffic.served)
    assert traffic.failures == []
    assert len(traffic.served) > 5


def test_no_request_is_lost_while_labels_move(h: Harness) -> None:
    manager = h.started(1, 2, config=h.specific(1))
    manager.reload(h.specific(1, stable=1))
    with Traffic(manager, *({"label": "stable"} for _ in range(6)), {}, {}) as traffic:
        old = 1
        for _ in range(30):
            new = 3 - old
            manager.reload(h.specific(1, 2, stable=old))
            h.events.wait_for(lambda new=new: new in manager.available()["m"])
            manager.reload(h.specific(1, 2, stable=new))
            manager.reload(h.specific(new, stable=new))
            h.events.wait_for(lambda new=new: manager.available() == {"m": [new]})
            old = new
    assert traffic.failures == []
    assert set(traffic.served) == {1, 2}


def test_a_manager_stops_under_load_and_during_changes(h: Harness) -> None:
    gone = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)
    for round_ in range(10):
        for version in (1, 2):
            shutil.rmtree(h.base_path / str(version), ignore_errors=True)
        manager = h.started(1)
        with Traffic(manager, {}, {}, {"version": 1}) as traffic:
            configs = itertools.cycle([h.specific(1), listed(), h.all()])

            def change(manager: ModelManager = manager, configs: Iterable[ModelServerConfig] = configs) -> None:
                with pytest.raises(ServingError, match="The server is stopping"):
                    any(map(manager.reload, configs))

            changing = threading.Thread(target=change)
            changing.start()
            push(h.base_path, 2)
            time.sleep(0.001 * round_)
            manager.stop(SECONDS)
            changing.join(SECONDS)
            assert not changing.is_alive()
        assert all(isinstance(error, ServingError) and error.code in gone for error in traffic.failures)
        assert h.load.open() == []


def test_real_models_replace_each_other(
    half_plus_two: Path, half_plus_three: Path, broken: Path, tmp_path: Path
) -> None:
    def answer() -> tuple[int, float]:
        with manager.lookup(spec()) as servable:
            outputs = servable.run("serving_default", {"x": np.array([2.0], np.float32)}, None, None)
            return servable.version, float(outputs["y"][0])

    base_path, events = tmp_path / "real", Events()
    tiny_models.push(half_plus_two, base_path, 1)
    manager = ModelManager(Servable.load, poll_seconds=POLL, load_retries=0)
    manager.on_state_change(events)
    try:
        manager.start(listed(model(base_path)), wait=True)
        assert answer() == (1, 3.0)
        tiny_models.push(broken, tmp_path, 2).rename(base_path / "2")
        events.wait_for_state(2, ServableState.END)
        assert answer() == (1, 3.0)
        (_, state, code, message), _ = statuses(manager)
        assert (state, code, "Could not find variable" in message) == ("END", 9, True)
        tiny_models.push(half_plus_three, tmp_path, 3).rename(base_path / "3")
        events.wait_for_state(1, ServableState.END)
        assert answer() == (3, 4.0)
    finally:
        manager.stop()
    assert manager.available() == {"m": []}


def test_a_file_among_the_versions_fails_and_leaves_the_old_version_serving(
    half_plus_two: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_models.push(half_plus_two, tmp_path, 1)
    (tmp_path / "12").write_text("not a folder")
    events = Events()
    manager = ModelManager(Servable.load, poll_seconds=POLL, load_retries=0)
    manager.on_state_change(events)
    try:
        manager.start(listed(model(tmp_path, specific=[1])), wait=True)
        manager.reload(listed(model(tmp_path)))
        events.wait_for_state(12, ServableState.END)
        message = f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {tmp_path}/12"
        assert statuses(manager) == [(12, "END", 5, message), (1, "AVAILABLE", 0, "")]
        assert "Traceback" not in caplog.text
    finally:
        manager.stop()


@pytest.mark.parametrize("order", ["saved_model.pb first", "saved_model.pb last"])
def test_a_model_that_is_copied_slowly_is_served_when_it_is_complete(
    half_plus_two: Path, half_plus_three: Path, tmp_path: Path, order: str
) -> None:
    tiny_models.push(half_plus_two, tmp_path, 1)
    events = Events()
    manager = ModelManager(Servable.load, poll_seconds=0.05, load_retries=0)
    manager.on_state_change(events)
    files = [path for path in half_plus_three.rglob("*") if path.is_file()]
    files.sort(key=lambda path: (path.name == "saved_model.pb") == order.endswith("last"))
    try:
        manager.start(listed(model(tmp_path)), wait=True)
        for source in files:
            target = tmp_path / "2" / source.relative_to(half_plus_three)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = source.read_bytes()
            with target.open("wb") as copy:
                for part in (content[: len(content) // 2], content[len(content) // 2 :]):
                    assert manager.available() == {"m": [1]}
                    copy.write(part)
                    copy.flush()
                    time.sleep(0.1)
        events.wait_for_state(1, ServableState.END)
        assert manager.available() == {"m": [2]}
        assert any(event.error for event in events.all)
    finally:
        manager.stop()

from __future__ import annotations

import shutil
from typing import Any

import grpc
import pytest
from managed_models import Harness, failure, lookup, statuses
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from text_servables import BROKEN, listed, push, spec

from serving.server.models.lifecycle import ServableState


def test_lookup_by_version_label_or_neither(h: Harness) -> None:
    manager = h.started(0, 3, 7)
    manager.reload(h.all(stable=3, zero=0))
    assert [lookup(manager), lookup(manager, version=0), lookup(manager, version=3)] == [7, 0, 3]
    assert [lookup(manager, label="stable"), lookup(manager, label="zero")] == [3, 0]


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ({"name": "n"}, "NOT_FOUND", "Servable not found for request: Latest(n)"),
        ({"name": "n", "version": 1}, "NOT_FOUND", "Servable not found for request: Specific(n, 1)"),
        ({"version": 7}, "NOT_FOUND", "Servable not found for request: Specific(m, 7)"),
        ({"version": 0}, "NOT_FOUND", "Servable not found for request: Specific(m, 0)"),
        ({"version": -1}, "NOT_FOUND", "Servable not found for request: Specific(m, -1)"),
        ({"label": "L"}, "INVALID_ARGUMENT", "Unrecognized servable version label: L"),
        ({"name": "n", "label": "L"}, "INVALID_ARGUMENT", "Unrecognized servable version label: L"),
    ],
)
def test_a_failing_lookup_has_tensorflow_servings_status(
    h: Harness, asked: dict[str, Any], code: str, message: str
) -> None:
    manager = h.started(1)
    assert failure(lambda: lookup(manager, **asked)) == (grpc.StatusCode[code], message)


def test_lookup_before_anything_is_loaded(h: Harness) -> None:
    manager = h.manager()
    no_labels = (grpc.StatusCode.UNAVAILABLE, "Model labels does not init yet.L")
    assert failure(lambda: lookup(manager, label="L")) == no_labels
    manager.start(ModelServerConfig(), wait=True)
    assert failure(lambda: lookup(manager, label="L")) == no_labels
    assert failure(lambda: lookup(manager)) == (
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Latest(m)",
    )
    manager.reload(listed())
    assert failure(lambda: lookup(manager, label="L")) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Unrecognized servable version label: L",
    )


def test_a_failed_request_releases_its_version(h: Harness) -> None:
    manager = h.started(1)
    with pytest.raises(ZeroDivisionError), manager.lookup(spec()):
        raise ZeroDivisionError
    manager.reload(listed())
    h.events.wait_for_state(1, ServableState.END)


def test_a_label_that_moves_during_a_lookup_loses_no_request(h: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = h.started(1, 2)
    manager.reload(h.all(stable=1))
    served = manager._models["m"]
    acquire = served.acquire

    def overtaken(number: int) -> Any:
        if number == 1:
            manager.reload(h.specific(2, stable=2))
            h.events.wait_for_state(1, ServableState.END)
        return acquire(number)

    monkeypatch.setattr(served, "acquire", overtaken)
    assert lookup(manager, label="stable") == 2


def test_status_reports_all_versions_or_one(h: Harness) -> None:
    manager = h.started(1, 3)
    push(h.base_path, 2, BROKEN)
    h.events.wait_for_state(2, ServableState.END)
    shutil.rmtree(h.base_path / "1")
    h.events.wait_for_state(1, ServableState.END)
    two = (2, "END", 5, "nothing to load in version 2")
    assert statuses(manager) == [(3, "AVAILABLE", 0, ""), two, (1, "END", 0, "")]
    assert statuses(manager, version=2) == [two]
    labelled = GetModelStatusRequest(model_spec=spec(label="unknown"))
    assert len(manager.status(labelled).model_version_status) == 3


def test_a_failing_status_request_has_tensorflow_servings_status(h: Harness) -> None:
    manager = h.started(1)
    not_found = grpc.StatusCode.NOT_FOUND
    assert failure(lambda: statuses(manager, version=7)) == (not_found, "Could not find version 7 of model m")
    assert failure(lambda: statuses(manager, version=0)) == (not_found, "Could not find version 0 of model m")
    for name in ("n", ""):
        request = GetModelStatusRequest(model_spec=spec(name))
        assert failure(lambda request=request: manager.status(request)) == (
            not_found,
            f"Could not find any versions of model {name}",
        )
    assert failure(lambda: manager.status(GetModelStatusRequest())) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Missing ModelSpec",
    )


def test_a_model_without_versions_has_no_status(h: Harness) -> None:
    manager = h.started()
    assert failure(lambda: statuses(manager)) == (
        grpc.StatusCode.NOT_FOUND,
        "Could not find any versions of model m",
    )
    assert (manager.available(), manager.is_model("m"), manager.is_model("n")) == ({"m": []}, True, False)

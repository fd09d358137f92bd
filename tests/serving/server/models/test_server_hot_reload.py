"""No request fails while versions, labels and configs change."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from contract_models import floats, predict, spec
from google.protobuf import text_format
from running_server import RunningServer, running_server
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2
from tiny_models import push
from waiting import wait_until

pytestmark = pytest.mark.slow

SECONDS = 30.0
AVAILABLE, END = 30, 50
GRPC_CLIENTS, REST_CLIENTS = 6, 2


class Models:
    """Models of a server: even versions compute x / 2 + 2, odd ones x / 2 + 3."""

    def __init__(self, root: Path, half_plus_two: Path, half_plus_three: Path) -> None:
        self.root = root
        self.file = root / "models.config"
        self.config = model_server_config_pb2.ModelServerConfig()
        self._halves = (half_plus_two, half_plus_three)
        for name in ("watched", "labelled", "reloaded"):
            self.push(name, 2)
            self.config.model_config_list.config.add(name=name, base_path=str(root / name), model_platform="tensorflow")
        self.write()

    def push(self, name: str, version: int) -> None:
        # Like our Pusher, this makes the complete version appear at once.
        pushed = push(self._halves[version % 2], self.root / "pushing" / name, version)
        (self.root / name).mkdir(exist_ok=True)
        pushed.rename(self.root / name / str(version))

    def __getitem__(self, name: str) -> model_server_config_pb2.ModelConfig:
        return next(config for config in self.config.model_config_list.config if config.name == name)

    def write(self) -> None:
        partial = self.file.with_suffix(".new")
        partial.write_text(text_format.MessageToString(self.config))
        partial.replace(self.file)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, half_plus_two: Path, half_plus_three: Path) -> Models:
    return Models(tmp_path_factory.mktemp("reload"), half_plus_two, half_plus_three)


@pytest.fixture(scope="module")
def server(models: Models) -> Iterator[RunningServer]:
    with running_server(
        f"--model_config_file={models.file}",
        "--model_config_file_poll_wait_seconds=0.1",
        "--file_system_poll_wait_seconds=0.1",
        "--max_num_load_retries=0",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.target) as opened:
        yield opened


class Traffic:
    """Answers and failures of continuous requests."""

    def __init__(self) -> None:
        self.answers: list[tuple[float, int]] = []  # time of the request, and the version that answered
        self.failures: list[object] = []
        self._stop = threading.Event()

    def ask(self, question: Callable[[], int | None]) -> None:
        while not self._stop.is_set():
            asked = time.monotonic()
            try:
                version = question()
            except Exception as error:  # any failure counts
                self.failures.append(error)
            else:
                self.answers.extend([(asked, version)] if version is not None else [])

    def versions(self, since: float = 0.0) -> list[int]:
        """Returns the versions that answered requests sent after `since`."""
        return [version for asked, version in list(self.answers) if asked > since]

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def traffic(server: RunningServer, channel: grpc.Channel, name: str, label: str = "") -> Iterator[Traffic]:
    """Sends requests over both APIs from many threads until the context ends."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def over_grpc() -> int:
        response = stub.Predict(predict(spec(name, label=label), x=floats(4.0)), timeout=SECONDS)
        version = response.model_spec.version.value
        assert response.outputs["y"].float_val == [4.0 + version % 2]
        return int(version)

    place = f"{name}/labels/{label}" if label else name
    client = httpx.Client(base_url=server.url, timeout=SECONDS)

    def over_rest() -> None:
        response = client.post(f"/v1/models/{place}:predict", json={"instances": [4.0]})
        assert response.status_code == 200, response.text
        assert response.json()["predictions"][0] in {4.0, 5.0}

    seen = Traffic()
    threads = [
        threading.Thread(target=seen.ask, args=[question])
        for question in [over_grpc] * GRPC_CLIENTS + [over_rest] * REST_CLIENTS
    ]
    with client:
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            seen.stop()
            for thread in threads:
                thread.join()


def states(channel: grpc.Channel, name: str) -> dict[int, int]:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec(name))
    response = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=SECONDS)
    return {one.version: one.state for one in response.model_version_status}


def test_new_versions_take_over_without_a_failed_request(
    server: RunningServer, channel: grpc.Channel, models: Models, broken: Path
) -> None:
    base = models.root / "watched"
    with traffic(server, channel, "watched") as seen:
        for version in range(3, 8):
            models.push("watched", version)
            wait_until(
                lambda version=version: (
                    states(channel, "watched").get(version) == AVAILABLE
                    and states(channel, "watched")[version - 1] == END
                )
            )
        # A broken version leaves the old one serving, and appears in the status.
        push(broken, models.root / "pushing" / "watched", 8).rename(base / "8")
        wait_until(lambda: states(channel, "watched").get(8) == END)
        assert states(channel, "watched")[7] == AVAILABLE
        # Without it and the newest working version, the one before serves again.
        shutil.rmtree(base / "8")
        shutil.rmtree(base / "7")
        wait_until(
            lambda: states(channel, "watched") == {8: END, 7: END, 6: AVAILABLE, **dict.fromkeys(range(2, 6), END)}
        )
        moment = time.monotonic()
        wait_until(lambda: len(seen.versions(moment)) > 10)
    assert seen.failures == []
    assert set(seen.versions()) == set(range(2, 8))
    assert set(seen.versions(moment)) == {6}


def test_a_config_file_moves_a_label_without_a_failed_request(
    server: RunningServer, channel: grpc.Channel, models: Models
) -> None:
    def choose(versions: list[int], stable: int) -> None:
        labelled = models["labelled"]
        labelled.model_version_policy.specific.versions[:] = versions
        labelled.version_labels["stable"] = stable
        models.write()

    choose([2], stable=2)
    wait_until(lambda: answers(channel, "labelled", "stable"))
    models.push("labelled", 3)
    with traffic(server, channel, "labelled", "stable") as seen:
        for old, new in ((2, 3), (3, 2), (2, 3)):
            # Labels are applied before versions are loaded, so the version must be loaded first.
            choose([old, new], stable=old)
            wait_until(lambda new=new: states(channel, "labelled").get(new) == AVAILABLE)
            choose([new], stable=new)
            wait_until(lambda old=old: states(channel, "labelled")[old] == END)
            moment = time.monotonic()
            wait_until(lambda moment=moment: len(seen.versions(moment)) > 10)
            assert set(seen.versions(moment)) == {new}
    assert seen.failures == []


def answers(channel: grpc.Channel, name: str, label: str) -> bool:
    try:
        prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(
            predict(spec(name, label=label), x=floats(4.0)), timeout=SECONDS
        )
    except grpc.RpcError:
        return False
    return True


def test_a_reload_rpc_causes_no_failed_request(tmp_path: Path, half_plus_two: Path, half_plus_three: Path) -> None:
    models = Models(tmp_path, half_plus_two, half_plus_three)
    models.push("extra", 3)
    # This server reads its config file once; polling would undo the changes by RPC.
    with (
        running_server(f"--model_config_file={models.file}") as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        service = model_service_pb2_grpc.ModelServiceStub(channel)

        def reload(*, with_extra: bool) -> int:
            request = model_management_pb2.ReloadConfigRequest(config=models.config)
            if with_extra:
                request.config.model_config_list.config.add(
                    name="extra", base_path=str(models.root / "extra"), model_platform="tensorflow"
                )
            return int(service.HandleReloadConfigRequest(request, timeout=SECONDS).status.error_code)

        with traffic(server, channel, "watched") as seen:
            for _ in range(3):
                # The RPC returns when the new model is available.
                assert reload(with_extra=True) == 0
                assert states(channel, "extra") == {3: AVAILABLE}
                assert reload(with_extra=False) == 0
                wait_until(lambda: states(channel, "extra") == {3: END})
    assert seen.failures == []
    assert set(seen.versions()) == {2}


def test_an_invalid_config_file_changes_nothing(server: RunningServer, channel: grpc.Channel, models: Models) -> None:
    models.file.write_text("nonsense")
    models.push("reloaded", 3)
    wait_until(lambda: states(channel, "reloaded").get(3) == AVAILABLE)  # the old config still applies
    assert server.process.poll() is None
    models.write()

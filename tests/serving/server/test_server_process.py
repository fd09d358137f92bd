from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from contract_models import floats, predict, spec
from running_server import running_server
from signing_keys import write_keys
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tiny_models import push, write_slow
from waiting import wait_until

from imdb_core.errors import ReviewPipelineError, RunError, SettingsError
from serving.releases.signing import sign
from serving.releases.versions import RELEASE_FILE, Release, digest, read_versions
from serving.server.config.options import ServerOptions
from serving.server.process import serve

pytestmark = pytest.mark.slow

SECONDS = 30.0


def refuses(port: int | None) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port or 0), timeout=1).close()
    except OSError:
        return True
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_running_requests_are_answered_before_shutdown(tmp_path: Path) -> None:
    write_slow(tmp_path / "slow" / "1", 2500)
    with (
        running_server("--model_name=slow", f"--model_base_path={tmp_path / 'slow'}") as server,
        grpc.insecure_channel(server.target) as channel,
        httpx.Client(base_url=server.url, timeout=SECONDS) as client,
        ThreadPoolExecutor() as threads,
    ):
        # An idle connection must not delay the shutdown.
        assert client.get("/v1/models/slow").status_code == 200
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        over_grpc = threads.submit(stub.Predict, predict(spec("slow"), x=floats(1.0)), timeout=SECONDS)
        url = f"{server.url}/v1/models/slow:predict"
        over_rest = threads.submit(httpx.post, url, json={"instances": [2.0]}, timeout=SECONDS)
        time.sleep(1.0)  # clients cannot see that a request has arrived
        assert not over_grpc.done()
        assert not over_rest.done()

        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(server.grpc_port) and refuses(server.rest_port))
        assert over_grpc.result().outputs["y"].float_val == [1.0]
        assert over_rest.result().json() == {"predictions": [2.0]}
        assert server.process.wait(SECONDS) == 0


def test_the_ports_open_when_a_version_is_available(tmp_path: Path, half_plus_two: Path) -> None:
    base, port = tmp_path / "half", free_port()
    base.mkdir()
    command = [sys.executable, "-m", "serving.server", f"--port={port}", "--rest_api_port=0"]
    command += ["--model_name=half", f"--model_base_path={base}", "--file_system_poll_wait_seconds=0.05"]
    output, errors = tmp_path / "output", tmp_path / "errors"
    with output.open("w") as out, errors.open("w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=Path(__file__).parents[3])
        try:
            wait_until(lambda: process.poll() is not None or "No versions of servable half" in errors.read_text())
            assert refuses(port)
            push(half_plus_two, base, 3)
            wait_until(lambda: process.poll() is not None or output.read_text())
            # With a given gRPC port, a REST port of 0 means no REST, as in TensorFlow Serving.
            assert output.read_text() == f"Serving half version 3 on grpc://127.0.0.1:{port}\n"
            assert not refuses(port)
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 0
            assert "Traceback" not in errors.read_text()
        finally:
            process.kill()
            process.wait()


def test_only_signed_versions_are_loaded_where_signatures_are_required(tmp_path: Path, half_plus_two: Path) -> None:
    private, public = write_keys(tmp_path, "ours")
    base = tmp_path / "half"
    path = push(half_plus_two, base, 1)
    (path / RELEASE_FILE).parent.mkdir(exist_ok=True)
    (path / RELEASE_FILE).write_text(Release(source="/model", sha256=digest(path), pushed_at=1).model_dump_json())
    assert "has no signature" in str(error_of(options(base, max_num_load_retries=0, require_signature=str(public))))
    sign(read_versions(base)[1], private)
    flags = ["--model_name=half", f"--model_base_path={base}", f"--require_signature={public}"]
    flags += ["--max_num_load_retries=0", "--file_system_poll_wait_seconds=0.05"]
    with running_server(*flags) as server, httpx.Client(base_url=server.url, timeout=SECONDS) as client:

        def states() -> dict[str, str]:
            found = client.get("/v1/models/half").json()["model_version_status"]
            return {one["version"]: one["state"] for one in found}

        assert states() == {"1": "AVAILABLE"}
        # A copy with one byte more is refused, and the signed version stays.
        changed = push(path, tmp_path / "elsewhere", 2)
        with (changed / "assets.extra" / "release.json").open("a") as file:
            file.write(" ")
        push(changed, base, 2)
        wait_until(lambda: states().get("2") == "END")
        assert states()["1"] == "AVAILABLE"


def test_a_server_that_requires_signatures_needs_a_key(tmp_path: Path) -> None:
    error = error_of(options(tmp_path, require_signature=str(tmp_path / "missing.pub")))
    assert isinstance(error, SettingsError)
    assert "expected a public elliptic-curve key in PEM form" in str(error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_server_that_waits_for_a_load(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "hangs" / "1").mkdir(parents=True)
    os.mkfifo(tmp_path / "hangs" / "1" / "saved_model.pb")  # nobody writes to it
    command = [sys.executable, "-m", "serving.server", "--port=0", "--rest_api_port=0", "--model_name=hangs"]
    errors = tmp_path / "errors"
    with errors.open("w") as err:
        process = subprocess.Popen(
            [*command, f"--model_base_path={tmp_path / 'hangs'}"], stderr=err, cwd=Path(__file__).parents[3]
        )
    try:
        wait_until(lambda: process.poll() is not None or "is LOADING" in errors.read_text())
        time.sleep(1)  # the load is announced a moment before it begins, and ends if it is stopped before
        assert process.poll() is None, errors.read_text()
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.send_signal(number)
        assert process.wait(SECONDS) == -number
        assert "Traceback" not in errors.read_text()
    finally:
        process.kill()
        process.wait()


def options(base: Path, **given: Any) -> ServerOptions:
    return ServerOptions(model_name="half", model_base_path=str(base), **{"port": 0, "rest_api_port": 0, **given})


def error_of(given: ServerOptions) -> ReviewPipelineError:
    with pytest.raises(ReviewPipelineError) as caught:
        asyncio.run(serve(given))
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_signal_ends_the_wait_for_a_first_version(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def serve_and_interrupt() -> int:
        serving = asyncio.create_task(serve(options(tmp_path)))
        while "No versions of servable" not in caplog.text:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        return await asyncio.wait_for(serving, SECONDS)

    assert asyncio.run(serve_and_interrupt()) == 0


def test_the_server_ends_if_the_first_version_fails_to_load(tmp_path: Path, broken: Path) -> None:
    push(broken, tmp_path, 1)
    error = error_of(options(tmp_path, max_num_load_retries=0))
    assert isinstance(error, RunError)
    assert str(error).startswith(
        "the server cannot start: 1 servable(s) did not become available: {{{name: half version: 1} due to error: "
    )
    assert "Could not find variable" in str(error)


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_a_port_in_use_is_named(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = error_of(options(tmp_path, **{flag: port}))
    assert isinstance(error, RunError)
    assert str(error) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; give another --port, --rest_api_port, "
        "--host or --grpc_socket_path"
    )


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    error = error_of(options(tmp_path, host="192.0.2.1"))
    assert str(error).startswith("cannot listen on 192.0.2.1:0: ")


def test_an_impossible_unix_socket_is_named(tmp_path: Path, half_plus_two: Path) -> None:
    push(half_plus_two, tmp_path, 1)
    error = error_of(options(tmp_path, grpc_socket_path=str(tmp_path / "missing" / "socket")))
    assert str(error).startswith(f"cannot listen on unix:{tmp_path}/missing/socket: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'model_config_list { config { name: "half" base_path: "relative" } }',
            "the server cannot start: Expected model half to have an absolute path or URI; got base_path()=relative",
        ),
        ("nonsense", "…"),
    ],
)
def test_an_invalid_config_is_a_settings_error(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "models.config"
    config.write_text(text)
    error = error_of(ServerOptions(model_config_file=str(config), port=0, rest_api_port=0))
    assert isinstance(error, SettingsError)
    assert message in ("…", str(error))

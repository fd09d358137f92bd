"""docker-compose.yml and the files that it passes to TensorFlow Serving, checked as far as possible without Docker."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from serving.releases.model_config import ensure
from serving.server import cli, process
from serving.server.config.flag_files import BatchingParameters, read_batching_parameters, read_prometheus_path
from serving.server.config.model_config import read_model_config
from serving.server.config.options import ServerOptions

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas" / "serving"
_VARIABLE = re.compile(r"\$\{(\w+)(?::-((?:[^${}]|\$\{\w+\})*))?\}")


def interpolated(text: str, environ: dict[str, str]) -> str:
    """Replaces `${NAME}` and `${NAME:-default}` as Compose does; a default may contain variables."""

    def value(found: re.Match[str]) -> str:
        return environ.get(found[1]) or interpolated(found[2] or "", environ)

    return _VARIABLE.sub(value, text)


def service(environ: dict[str, str]) -> dict[str, Any]:
    text = interpolated((ROOT / "docker-compose.yml").read_text(), environ)
    assert "$" not in text
    (only,) = yaml.safe_load(text)["services"].values()
    return dict(only)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def compose(workspace: Path) -> dict[str, Any]:
    return service({"IMDB_WORKSPACE": str(workspace)})


@pytest.fixture
def mounts(compose: dict[str, Any]) -> dict[Path, Path]:
    """The folder on this machine by the folder in the container."""
    return {Path(mount["target"]): ROOT / mount["source"] for mount in compose["volumes"]}


@pytest.fixture
def flags(compose: dict[str, Any]) -> dict[str, str]:
    return dict(flag.removeprefix("--").split("=", 1) for flag in compose["command"])


def outside(path: str, mounts: dict[Path, Path]) -> Path:
    """Returns the path on this machine of a file in the container."""
    (target,) = [target for target in mounts if Path(path).is_relative_to(target)]
    return mounts[target] / Path(path).relative_to(target)


def test_the_image_has_the_version_of_the_api_package(compose: dict[str, Any]) -> None:
    assert compose["image"] == f"tensorflow/serving:{version('tensorflow-serving-api')}"


def test_each_flag_means_the_same_to_our_server(flags: dict[str, str], mounts: dict[Path, Path]) -> None:
    values: dict[str, Any] = {}
    for name, text in flags.items():
        kind = ServerOptions.model_fields[name].annotation
        values[name] = text == "true" if kind is bool else kind(text) if kind in (int, float) else text
        if name.endswith("_file"):
            values[name] = str(outside(text, mounts))
    options = ServerOptions(**values)
    assert options.batching_parameters() == read_batching_parameters(SCHEMAS / "batching.config")
    assert options.prometheus_path() == "/monitoring/prometheus/metrics"


def test_tensorflow_serving_has_the_flags_that_our_server_has_by_default(
    workspace: Path, flags: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[ServerOptions] = []
    monkeypatch.setattr(process, "run", lambda options: started.append(options) or 0)
    monkeypatch.setenv("IMDB_WORKSPACE", str(workspace))
    assert CliRunner().invoke(cli.serve).exit_code == 0
    own = {name: getattr(started[0], name) for name in started[0].model_fields_set}
    assert {Path(own.pop(name)).name for name in ("model_config_file", "monitoring_config_file")} == {
        Path(flags[name]).name for name in ("model_config_file", "monitoring_config_file")
    }
    for name, value in own.items():
        assert flags[name] == ("true" if value is True else f"{value:g}" if isinstance(value, float) else str(value))


def test_both_servers_follow_the_same_models(workspace: Path, flags: dict[str, str], mounts: dict[Path, Path]) -> None:
    written = ensure(workspace / "models")
    assert outside(flags["model_config_file"], mounts) == written
    # The config contains paths on this machine, which must be the same in the container.
    for model in read_model_config(written).model_config_list.config:
        assert outside(model.base_path, mounts) == Path(model.base_path)


def test_the_default_workspace_is_in_the_current_folder() -> None:
    here = service({"PWD": "/home/someone/project"})
    assert here["command"][0] == "--model_config_file=/home/someone/project/workspace/models/models.config"
    assert here["volumes"][0]["source"] == here["volumes"][0]["target"] == "/home/someone/project/workspace/models"


def test_only_this_machine_reaches_the_server(compose: dict[str, Any]) -> None:
    assert compose["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert all(mount["read_only"] for mount in compose["volumes"])


def test_batching_has_our_servers_defaults() -> None:
    # The real server knows no wait for the calls that are about to arrive, and not how many cores there are.
    ours = BatchingParameters(batch_timeout_micros=0, num_batch_threads=2)
    assert read_batching_parameters(SCHEMAS / "batching.config") == ours


def test_metrics_are_on() -> None:
    assert read_prometheus_path(SCHEMAS / "monitoring.config") == "/monitoring/prometheus/metrics"


@pytest.mark.parametrize(("state", "healthy"), [("AVAILABLE", True), ("LOADING", False)])
def test_health_is_that_of_the_model(compose: dict[str, Any], tmp_path: Path, state: str, healthy: bool) -> None:
    kind, *command = compose["healthcheck"]["test"]
    assert kind == "CMD"
    answer = tmp_path / "answer"
    answer.write_text(f'{{"state": "{state}", "status": {{"error_code": "OK"}}}}')
    # Files replace the socket: the request is written to one, the answer is read from the other.
    (script,) = (part for part in command if "/dev/tcp" in part)
    asked = tmp_path / "asked"
    script = script.replace("3<>/dev/tcp/127.0.0.1/8501", f"3<{answer} 4>{asked}").replace(">&3", ">&4")
    result = subprocess.run([*command[:-1], script], check=False, env=dict(os.environ))
    assert (result.returncode == 0) == healthy
    assert asked.read_bytes() == b"GET /v1/models/imdb_attention HTTP/1.0\r\n\r\n"

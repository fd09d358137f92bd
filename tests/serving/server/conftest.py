from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from contract_models import HALF, HURT, write_models
from running_server import RunningServer, running_server
from tiny_models import write_half_plus_two

MONITORING = Path(__file__).parents[3] / "schemas" / "serving" / "monitoring.config"


@pytest.fixture(scope="session")
def contract_server(
    tmp_path_factory: pytest.TempPathFactory,
    half_plus_two: Path,
    half_plus_three: Path,
    shared_input: Path,
    broken: Path,
) -> Iterator[RunningServer]:
    """A server of the models of contract_models, which tests must not change."""
    root = tmp_path_factory.mktemp("contract")
    write_half_plus_two(root / "half_plus_four", bias=4.0)
    config = write_models(
        root / "models",
        halves=[half_plus_two, half_plus_three, root / "half_plus_four"],
        shared_input=shared_input,
        broken=broken,
    )
    with running_server(
        f"--model_config_file={config}",
        f"--monitoring_config_file={MONITORING}",
        "--allow_version_labels_for_unavailable_models",
        "--max_num_load_retries=0",
        "--enable_grpc_healthcheck_service",
        "--rest_api_timeout_in_ms=10000",
    ) as server:
        server.wait_for(HALF, 0, 1, 2)
        server.wait_for(HURT, 1)
        server.wait_for(HURT, 2, state="END")
        yield server


@pytest.fixture(scope="session")
def contract_channel(contract_server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(contract_server.target) as channel:
        yield channel

"""Measures the server under each load, and in a soak during which versions change."""

import itertools
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.in_process import WARM_UP_SECONDS
from benchmarks.serving.load import LoadResult, closed_loop
from imdb_core import signatures
from imdb_core.file_names import DEFAULT_MODEL
from serving.launch import LaunchedServer, launched, launched_server
from serving.server.execution.tensors import to_proto

CLIENTS: Final = (1, 8, 64)
SOAK_CLIENTS: Final = 8


@dataclass(frozen=True)
class ServingSetup:
    """The model to serve, and the reviews to send."""

    model: Path  # folder of a SavedModel
    texts: Sequence[bytes]  # in UTF-8, used in turn
    flags: Sequence[str]  # of the server
    folder: Path  # for the versions that the server loads


def through_server(setup: ServingSetup, seconds: float, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Calls `serve_text` over gRPC, for `seconds` with each of `sizes` reviews per request and each number of clients.

    Returns:
        JSON with a row for each pair; CPU times of the server and the clients are in microseconds per request.
    """
    with _served(setup) as (server, _):
        return [
            _under_load(server, setup.texts, size, clients, seconds)
            for size, clients in itertools.product(sizes, CLIENTS)
        ]


def without_model(texts: Sequence[bytes], seconds: float) -> dict[str, Any]:
    """Measures one row of `through_server`, with the most clients, against a server that does nothing with requests."""
    with launched("benchmarks.serving.empty_server") as server:
        return _under_load(server, texts, 1, max(CLIENTS), seconds)


def _under_load(
    server: LaunchedServer, texts: Sequence[bytes], size: int, clients: int, seconds: float
) -> dict[str, Any]:
    requests = _requests(texts, size)
    closed_loop(server.target, requests, clients, min(WARM_UP_SECONDS, seconds))
    before = _cpu_seconds(server)
    result = closed_loop(server.target, requests, clients, seconds)
    spent = [1e6 * (after - start) for start, after in zip(before, _cpu_seconds(server), strict=True)]
    return {
        "reviews_per_request": size,
        "clients": clients,
        **_row(result, size),
        "server_cpu_us": spent[0] / len(result.milliseconds),
        "client_cpu_us": spent[1] / len(result.milliseconds),
    }


def _cpu_seconds(server: LaunchedServer) -> tuple[float, float]:
    """Returns the CPU times of the server and of this process, which runs the clients."""
    times = [process.cpu_times() for process in (psutil.Process(server.process.pid), psutil.Process())]
    return times[0].user + times[0].system, times[1].user + times[1].system


def soak(setup: ServingSetup, seconds: float, swap_seconds: float) -> dict[str, Any]:
    """Pushes a new version every `swap_seconds` under load.

    Returns:
        JSON: the requests, the failures by status code, the number of versions, the last version that answered.
    """
    with _served(setup) as (server, base):
        done = threading.Event()
        pushed = [1]

        def swap() -> None:
            while not done.wait(swap_seconds):
                partial = base / f".pushing-{pushed[-1] + 1}"
                shutil.copytree(setup.model, partial)
                partial.rename(base / str(pushed[-1] + 1))
                pushed.append(pushed[-1] + 1)

        swapper = threading.Thread(target=swap)
        swapper.start()
        result = closed_loop(server.target, _requests(setup.texts, 1), SOAK_CLIENTS, seconds)
        done.set()
        swapper.join()
    return {
        "seconds": seconds,
        "clients": SOAK_CLIENTS,
        "swap_seconds": swap_seconds,
        "versions": len(pushed),
        "last_version_that_answered": predict_pb2.PredictResponse.FromString(result.last).model_spec.version.value,
        **_row(result, 1),
    }


@contextmanager
def _served(setup: ServingSetup) -> Iterator[tuple[LaunchedServer, Path]]:
    base = setup.folder / f"models-{time.monotonic_ns()}"
    shutil.copytree(setup.model, base / "1")
    with launched_server(f"--model_name={DEFAULT_MODEL}", f"--model_base_path={base}", *setup.flags) as server:
        yield server, base


def _row(result: LoadResult, size: int) -> dict[str, Any]:
    return {
        "requests": len(result.milliseconds),
        "failures": result.failures,
        "p50_ms": result.percentile(50),
        "p99_ms": result.percentile(99),
        "reviews_per_second": result.rate * size,
    }


def _requests(texts: Sequence[bytes], size: int) -> list[bytes]:
    """Serializes requests of a number of reviews each, which together hold all texts once."""
    turn = itertools.cycle(texts)
    requests = []
    for _ in range(max(1, len(texts) // size)):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = DEFAULT_MODEL
        request.model_spec.signature_name = signatures.SERVE_TEXT
        request.inputs["text"].CopyFrom(to_proto(np.array(list(itertools.islice(turn, size)), dtype=object)))
        requests.append(bytes(request.SerializeToString()))
    return requests

"""The measurements through the server: each load for a while, and a soak in which versions change."""

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
from benchmarks.serving.load import Answers, closed_loop
from imdb_core import signatures
from serving.launch import LaunchedServer, launched, launched_server
from serving.server.execution.tensors import to_proto

MODEL_NAME: Final = "imdb_attention"
CLIENTS: Final = (1, 8, 64)
SOAK_CLIENTS: Final = 8


@dataclass(frozen=True)
class Setup:
    """What is served, and what it is asked.

    Attributes:
        model: folder of a SavedModel.
        texts: reviews, UTF-8, used in turn.
        flags: of the server.
        folder: for the server's model folders.
    """

    model: Path
    texts: Sequence[bytes]
    flags: Sequence[str]
    folder: Path


def through_server(setup: Setup, seconds: float, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Calls `serve_text` over gRPC.

    Args:
        setup: of the server.
        seconds: for each row.
        sizes: numbers of reviews in a request.

    Returns:
        A row of JSON for each size and number of clients, with the CPU time of the server and of the clients for each
        request, in microseconds.
    """
    with _served(setup) as (server, _):
        return [
            _under_load(server, setup.texts, size, clients, seconds)
            for size, clients in itertools.product(sizes, CLIENTS)
        ]


def without_model(texts: Sequence[bytes], seconds: float) -> dict[str, Any]:
    """The same requests of one review, answered by a server that does nothing with them.

    Args:
        texts: reviews, UTF-8, used in turn.
        seconds: how long.

    Returns:
        A row like those of `through_server`, for the largest number of clients.
    """
    with launched("benchmarks.serving.empty_server") as server:
        return _under_load(server, texts, 1, max(CLIENTS), seconds)


def _under_load(
    server: LaunchedServer, texts: Sequence[bytes], size: int, clients: int, seconds: float
) -> dict[str, Any]:
    requests = [_request(batch) for batch in _batches(texts, size)]
    closed_loop(server.target, requests, clients, min(WARM_UP_SECONDS, seconds))
    before = _cpu_seconds(server)
    answers = closed_loop(server.target, requests, clients, seconds)
    spent = [1e6 * (after - start) for start, after in zip(before, _cpu_seconds(server), strict=True)]
    return {
        "reviews_per_request": size,
        "clients": clients,
        **_row(answers, size),
        "server_cpu_us": spent[0] / len(answers.milliseconds),
        "client_cpu_us": spent[1] / len(answers.milliseconds),
    }


def _cpu_seconds(server: LaunchedServer) -> tuple[float, float]:
    """Of the server and of this process, which is the client."""
    times = [process.cpu_times() for process in (psutil.Process(server.process.pid), psutil.Process())]
    return times[0].user + times[0].system, times[1].user + times[1].system


def soak(setup: Setup, seconds: float, swap_seconds: float) -> dict[str, Any]:
    """Swaps the served version again and again under load.

    Args:
        setup: of the server.
        seconds: how long.
        swap_seconds: a new version comes each so many seconds.

    Returns:
        JSON: requests, failures by status code, versions pushed, the last version that answered.
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
        answers = closed_loop(
            server.target, [_request(batch) for batch in _batches(setup.texts, 1)], SOAK_CLIENTS, seconds
        )
        done.set()
        swapper.join()
    return {
        "seconds": seconds,
        "clients": SOAK_CLIENTS,
        "swap_seconds": swap_seconds,
        "versions": len(pushed),
        "last_version_that_answered": predict_pb2.PredictResponse.FromString(answers.last).model_spec.version.value,
        **_row(answers, 1),
    }


@contextmanager
def _served(setup: Setup) -> Iterator[tuple[LaunchedServer, Path]]:
    base = setup.folder / f"models-{time.monotonic_ns()}"
    shutil.copytree(setup.model, base / "1")
    with launched_server(f"--model_name={MODEL_NAME}", f"--model_base_path={base}", *setup.flags) as server:
        yield server, base


def _row(answers: Answers, size: int) -> dict[str, Any]:
    return {
        "requests": len(answers.milliseconds),
        "failures": answers.failures,
        "p50_ms": answers.percentile(50),
        "p99_ms": answers.percentile(99),
        "reviews_per_second": answers.rate * size,
    }


def _batches(texts: Sequence[bytes], size: int) -> Iterator[list[bytes]]:
    turn = itertools.cycle(texts)
    for _ in range(max(1, len(texts) // size)):
        yield list(itertools.islice(turn, size))


def _request(texts: Sequence[bytes]) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL_NAME
    request.model_spec.signature_name = signatures.SERVE_TEXT
    request.inputs["text"].CopyFrom(to_proto(np.array(list(texts), dtype=object)))
    return bytes(request.SerializeToString())

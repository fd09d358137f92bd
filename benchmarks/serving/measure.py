"""Measures the server under each load, and in a soak during which versions change."""

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psutil
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.in_process import WARM_UP_SECONDS, in_process
from benchmarks.serving.load import LoadResult, closed_loop
from benchmarks.serving.metrics import batch_figures, monitoring_flag, read_totals
from benchmarks.serving.pinning import Cores, pinned
from benchmarks.serving.request_parts import request_parts
from benchmarks.serving.texts import FULL_LENGTH, SHORT, SHORTEST, reviews_of
from imdb_core import signatures
from imdb_core.errors import RunError
from imdb_core.file_names import DEFAULT_MODEL
from serving.launch import LaunchedServer, launched, launched_server
from serving.server.execution.tensors import to_proto

MOST_CLIENTS: Final = 64
SOAK_CLIENTS: Final = 8
_ONE_REQUEST: Final = 0.01  # seconds in which at least one is sent


class Workload(NamedTuple):
    """A load on the server: reviews of some words, some of them in a request, and clients with a request each."""

    words: int
    reviews_per_request: int
    clients: int


# One client with the shortest, short and full-length reviews; several clients; and larger requests.
WORKLOADS: Final = (
    *(Workload(words, 1, 1) for words in (SHORTEST, SHORT, FULL_LENGTH)),
    Workload(FULL_LENGTH, 1, 8),
    *(Workload(words, 1, MOST_CLIENTS) for words in (SHORT, FULL_LENGTH)),
    *(Workload(FULL_LENGTH, reviews, MOST_CLIENTS) for reviews in (4, 8, 16, 32)),
)


@dataclass(frozen=True)
class ServingSetup:
    """The model to serve, the cores, and the flags of the server."""

    model: Path  # folder of a SavedModel
    cores: Cores
    flags: Sequence[str]
    folder: Path  # for the versions that the server loads


def rounds(setup: ServingSetup, seconds: float, count: int) -> Iterator[dict[str, Any]]:
    """Measures the model in-process, the server and a server without a model in turn, several times.

    All of them are there all the time. So a machine that is slower for a minute, because others use it too, is so for
    all figures of a round, and their ratios hold.

    Args:
        setup: The model and the cores.
        seconds: Duration of each measurement.
        count: Number of rounds.

    Yields:
        JSON of a round: `in_process` by the number of words, see `in_process.Measure`; `server` with a row for each of
        `WORKLOADS`, and `without_model` with one for the most clients; CPU times are in microseconds per request.
    """
    with (
        in_process(setup.model, setup.cores.server) as alone,
        served(setup, monitoring_flag(setup.folder)) as (server, _),
        _on_core(setup.cores.server, launched("benchmarks.serving.empty_server")) as empty,
    ):
        for _ in range(count):
            yield {
                "in_process": {str(words): alone(reviews_of(words), seconds) for words in (FULL_LENGTH, SHORT)},
                "server": [_with_batches(server, load, seconds) for load in WORKLOADS],
                "without_model": _under_load(empty, Workload(FULL_LENGTH, 1, MOST_CLIENTS), seconds),
            }


def parts_of_a_request(setup: ServingSetup, words: int) -> dict[str, float]:
    """Measures the steps of a request of one review; see `request_parts`."""
    request = _requests(Workload(words, 1, 1))[0]
    with served(setup) as (server, _):
        answer = closed_loop(server.target, [request], 1, _ONE_REQUEST).last
    with pinned(setup.cores.server):
        return request_parts(request, answer)


def _with_batches(server: LaunchedServer, load: Workload, seconds: float) -> dict[str, Any]:
    before = read_totals(server)
    row = _under_load(server, load, seconds)
    return row | batch_figures(before, read_totals(server))


def _under_load(server: LaunchedServer, load: Workload, seconds: float) -> dict[str, Any]:
    requests = _requests(load)
    return loaded_row(
        lambda duration: closed_loop(server.target, requests, load.clients, duration),
        psutil.Process(server.process.pid),
        load,
        seconds,
    )


def loaded_row(
    run: Callable[[float], LoadResult], server: psutil.Process, load: Workload, seconds: float
) -> dict[str, Any]:
    """Puts a load on a server, after a warm-up, and measures it.

    Args:
        run: Sends the requests for some seconds.
        server: The server's process, whose children belong to it.
        load: What `run` sends.
        seconds: How long it is measured.

    Raises:
        RunError: No request was answered.
    """
    run(min(WARM_UP_SECONDS, seconds))
    before = _cpu_seconds(server), _own_cpu_seconds(psutil.Process())
    result = run(seconds)
    after = _cpu_seconds(server), _own_cpu_seconds(psutil.Process())
    answered = len(result.milliseconds)
    if not answered:
        raise RunError(f"the server answered no request under load; failures: {result.failures or 'none'}")
    server_us, client_us = (1e6 * (end - start) / answered for start, end in zip(before, after, strict=True))
    return {
        **load._asdict(),
        **_row(result, load.reviews_per_request),
        "server_cpu_us": server_us,
        "client_cpu_us": client_us,
    }


def _cpu_seconds(server: psutil.Process) -> float:
    """Returns the CPU time of a process and of all its children, those included that ended."""
    total = 0.0
    for process in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # its parent has its time
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _own_cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def soak(setup: ServingSetup, seconds: float, swap_seconds: float) -> dict[str, Any]:
    """Pushes a new version every `swap_seconds` under load.

    Returns:
        JSON: the requests, the failures by status code, the number of versions, the last version that answered.
    """
    with served(setup) as (server, base):
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
        try:
            requests = _requests(Workload(FULL_LENGTH, 1, SOAK_CLIENTS))
            result = closed_loop(server.target, requests, SOAK_CLIENTS, seconds)
        finally:
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
def served(setup: ServingSetup, *flags: str) -> Iterator[tuple[LaunchedServer, Path]]:
    """Serves the model on the server's core, and yields the server and its folder of versions."""
    base = setup.folder / f"models-{time.monotonic_ns()}"
    shutil.copytree(setup.model, base / "1")
    with _on_core(
        setup.cores.server,
        launched_server(f"--model_name={DEFAULT_MODEL}", f"--model_base_path={base}", *flags, *setup.flags),
    ) as server:
        yield server, base


@contextmanager
def _on_core(core: int, serving: AbstractContextManager[LaunchedServer]) -> Iterator[LaunchedServer]:
    """Starts a server that inherits the core, which this thread then leaves."""
    with ExitStack() as running:
        with pinned(core):
            server = running.enter_context(serving)
        yield server


def _row(result: LoadResult, size: int) -> dict[str, Any]:
    """Computes the figures of a load whose requests have some reviews each."""
    return {
        "requests": len(result.milliseconds),
        "failures": result.failures,
        "p50_ms": result.percentile(50),
        "p99_ms": result.percentile(99),
        "reviews_per_second": result.rate * size,
    }


def _requests(load: Workload) -> list[bytes]:
    """Serializes requests with different reviews."""
    texts = iter(reviews_of(load.words))
    requests = []
    while texts_of_one := list(itertools.islice(texts, load.reviews_per_request)):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = DEFAULT_MODEL
        request.model_spec.signature_name = signatures.SERVE_TEXT
        request.inputs["text"].CopyFrom(to_proto(np.array(texts_of_one, dtype=object)))
        requests.append(bytes(request.SerializeToString()))
    return requests

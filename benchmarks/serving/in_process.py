"""Calls the signature in one thread on one core without a server, as the baseline of the server's figures."""

import itertools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.serving.pinning import pinned
from imdb_core import signatures
from serving.server.execution.servable import Servable

BATCHES: Final = (1, 8, 16, 32, 64, 128, 256, 512)
WARM_UP_SECONDS: Final = 1.0

_Call = Callable[[npt.NDArray[np.object_]], object]


@dataclass(frozen=True)
class _Job:
    model: Path
    texts: Sequence[bytes]
    seconds: float


def in_process(model: Path, texts: Sequence[bytes], seconds: float, core: int) -> dict[str, Any]:
    """Calls `serve_text` with the server's session, in a process of its own that is pinned to a core.

    Returns:
        JSON: `p50_ms` and `p99_ms` of single reviews; `rates` in reviews per second by batch size; the `best_rate` and
        its `best_batch`.
    """
    # The new process inherits the core of the thread that starts it.
    with pinned(core), ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(_measured, _Job(model, texts, seconds)).result()
    best = max(found["rates"], key=lambda size: found["rates"][size])
    return {**found, "best_rate": found["rates"][best], "best_batch": int(best)}


def _measured(job: _Job) -> dict[str, Any]:
    servable = Servable.load("measured", 1, str(job.model))
    try:
        return _rates(lambda batch: servable.run(signatures.SERVE_TEXT, {"text": batch}), job)
    finally:
        servable.close()


def _rates(call: _Call, job: _Job) -> dict[str, Any]:
    rates = {}
    single: list[float] = []
    for size in BATCHES:
        _milliseconds(call, job.texts, size, min(WARM_UP_SECONDS, job.seconds))
        milliseconds = _milliseconds(call, job.texts, size, job.seconds)
        rates[str(size)] = 1000 * size * len(milliseconds) / sum(milliseconds)
        single = single or milliseconds
    return {"p50_ms": float(np.percentile(single, 50)), "p99_ms": float(np.percentile(single, 99)), "rates": rates}


def _milliseconds(call: _Call, texts: Sequence[bytes], size: int, seconds: float) -> list[float]:
    """Measures each call."""
    milliseconds = []
    turn = itertools.cycle(texts)
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        batch = np.array(list(itertools.islice(turn, size)), dtype=object)
        called = time.perf_counter()
        call(batch)
        milliseconds.append(1000 * (time.perf_counter() - called))
    return milliseconds

"""Calls the signature in one thread without a server, as the baseline of the server's figures."""

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

from benchmarks.serving.tables import ALL_CORES, ONE_CORE
from imdb_core import signatures
from serving.runtime.cpp_loader import CppSavedModel
from serving.server.execution.servable import Servable

BATCHES: Final = (1, 8, 32, 64, 128, 256, 512)
WARM_UP_SECONDS: Final = 1.0

_Call = Callable[[npt.NDArray[np.object_]], object]


@dataclass(frozen=True)
class _Job:
    session: str
    model: Path
    texts: Sequence[bytes]
    seconds: float


def in_process(model: Path, texts: Sequence[bytes], seconds: float) -> dict[str, Any]:
    """Calls `serve_text` in one thread, with a session that spreads a run over all cores and with the server's session.

    Each session has its own process, because TensorFlow's threads belong to the process.

    Returns:
        JSON: `sessions` by name, each with `p50_ms` and `p99_ms` of single reviews and `rates` in reviews per second
        by batch size; the smallest `p50_ms` of both sessions; the `best_rate` with its `best_session` and
        `best_batch`.
    """
    sessions = {}
    for name in (ALL_CORES, ONE_CORE):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            sessions[name] = pool.submit(_measured, _Job(name, model, texts, seconds)).result()
    rates = {(name, size): rate for name, found in sessions.items() for size, rate in found["rates"].items()}
    best = max(rates, key=lambda key: rates[key])
    return {
        "sessions": sessions,
        "p50_ms": min(found["p50_ms"] for found in sessions.values()),
        "best_rate": rates[best],
        "best_session": best[0],
        "best_batch": int(best[1]),
    }


def _measured(job: _Job) -> dict[str, Any]:
    if job.session == ALL_CORES:
        with CppSavedModel(str(job.model)) as model:
            return _rates(lambda batch: model.run(signatures.SERVE_TEXT, {"text": batch}), job)
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

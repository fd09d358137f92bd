"""Calls the signature in one thread on one core without a server, as the baseline of the server's figures."""

import functools
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from benchmarks.serving.pinning import pinned
from imdb_core import signatures
from serving.server.execution.servable import Servable

BATCHES: Final = (1, 8, 16, 32, 64, 128, 256, 512)
WARM_UP_SECONDS: Final = 0.5

# Calls the model with reviews, for some seconds with batches of each size. JSON: `p50_ms` and `p99_ms` of single
# reviews, and `rates` in reviews per second by batch size.
Measure: TypeAlias = Callable[[Sequence[bytes], float], dict[str, Any]]


@contextmanager
def in_process(model: Path, core: int) -> Iterator[Measure]:
    """Loads the model into the server's session, in a process of its own that is pinned to a core until the end."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_servable, initargs=(model,)) as pool:
        # The new process inherits the core of the thread that starts it.
        with pinned(core):
            pool.submit(os.getpid).result()
        yield lambda texts, seconds: pool.submit(_rates, model, texts, seconds).result()


@functools.cache
def _servable(model: Path) -> Servable:
    return Servable.load("measured", 1, str(model))


def _rates(model: Path, texts: Sequence[bytes], seconds: float) -> dict[str, Any]:
    rates = {}
    single: list[float] = []
    for size in BATCHES:
        _milliseconds(model, texts, size, min(WARM_UP_SECONDS, seconds))
        milliseconds = _milliseconds(model, texts, size, seconds)
        rates[str(size)] = 1000 * size * len(milliseconds) / sum(milliseconds)
        single = single or milliseconds
    return {"p50_ms": float(np.percentile(single, 50)), "p99_ms": float(np.percentile(single, 99)), "rates": rates}


def _milliseconds(model: Path, texts: Sequence[bytes], size: int, seconds: float) -> list[float]:
    """Measures each call."""
    milliseconds = []
    turn = itertools.cycle(texts)
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        batch = np.array(list(itertools.islice(turn, size)), dtype=object)
        called = time.perf_counter()
        _servable(model).run(signatures.SERVE_TEXT, {"text": batch})
        milliseconds.append(1000 * (time.perf_counter() - called))
    return milliseconds

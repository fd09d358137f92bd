from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.server.execution import process_memory
from serving.server.execution.servable import Servable

MIB = 2**20
SWAPS = 6


class Heavy(tf.Module):
    """Weighs 32 MiB: half in many variables, half in a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [tf.Variable(tf.ones([MIB // 4])) for _ in range(16)]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="x")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        constant = tf.constant(np.random.default_rng(0).random(4 * MIB, np.float32))
        return {"y": tf.add_n([tf.gather(part, x) for part in [*self.parts, constant]])}


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("heavy"))
    module = Heavy()
    tf.saved_model.save(module, path, signatures={"serving_default": module.__call__})
    return path


def resident() -> int:
    """Returns the process's memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def load(path: str, version: int) -> Servable:
    servable = Servable.load("heavy", version, path)
    servable.run("serving_default", {"x": np.int32([0, 1])})
    return servable


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_versions_that_follow_each_other_take_no_more_memory(heavy: str) -> None:
    kept = [load(heavy, 1)]
    used: list[int] = []
    for version in range(2, SWAPS + 2):
        kept.append(load(heavy, version))
        # Requests, tracebacks and logs may hold an unloaded version for long.
        kept[-2].close()
        used.append(resident())
    kept[-1].close()
    after = resident()
    assert used[-1] - used[0] < 32 * MIB
    assert used[-1] - after > 32 * MIB  # the last version's memory


def test_an_unloaded_version_does_not_hold_its_graph(half_plus_two: Path) -> None:
    servable = Servable.load("half", 1, str(half_plus_two))
    graph = weakref.ref(servable._session.graph)
    gc.disable()
    try:
        servable.close()
        assert graph() is None
    finally:
        gc.enable()


def test_objects_kept_from_the_collector_are_not_visited() -> None:
    # In a process of its own, because it changes the garbage collector.
    code = (
        "import gc; from serving.server.execution.process_memory import keep_from_collector; kept = [[]];"
        "before = len(gc.get_objects()); keep_from_collector(); kept.append([]);"
        "print(before > 1000, len(gc.get_objects()) < 1000, gc.get_freeze_count() > 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True True\n"


def test_memory_is_collected_where_the_c_library_cannot_return_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    cycle = Cycle()
    gone = weakref.ref(cycle)
    del cycle
    monkeypatch.setattr(process_memory, "_trim", None)
    process_memory.return_memory()
    assert gone() is None

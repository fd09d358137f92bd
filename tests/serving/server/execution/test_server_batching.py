from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import example, write_gate, write_slow
from waiting import wait_until

from serving.server.config.flag_files import BatchingParameters
from serving.server.errors import ServingError
from serving.server.execution.batching import Batch, Batcher
from serving.server.execution.delivery import Delivery
from serving.server.execution.servable import Servable
from serving.server.execution.traffic import Traffic

SECONDS = 60  # longer waits fail the test
SLOW_MS = 2000


class Rows(tf.Module):
    """Signatures that reveal the size of a batch or fail for certain rows."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="id")])
    def count(self, id: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002 - the input's name
        return {"id": id, "rows": tf.fill([tf.size(id)], tf.size(id))}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64, name="id")])
    def wide(self, id: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002 - the input's name
        return {"id": id, "rows": tf.fill([tf.shape(id)[0]], tf.shape(id)[0])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="id")])
    def positive(self, id: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002 - the input's name
        tf.debugging.assert_positive(id, "a bad id")
        return {"id": tf.identity(id)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="id")])
    def distinct(self, id: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002 - the input's name
        # Declares a row per input row, but returns fewer.
        return {"id": tf.unique(id).y}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="id")])
    def total(self, id: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002 - the input's name
        return {"total": tf.reduce_sum(id)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="id")])
    def padded(self, id: tf.Tensor) -> dict[str, tf.Tensor]:  # noqa: A002 - the input's name
        # Each row is as long as the largest id of the batch.
        return {"ones": tf.sequence_mask(id, dtype=tf.int64)}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servable]:
    path = str(tmp_path_factory.mktemp("rows"))
    module = Rows()
    names = ("count", "wide", "positive", "distinct", "total", "padded")
    tf.saved_model.save(module, path, signatures={name: getattr(module, name) for name in names})
    servable = Servable.load("rows", 1, path)
    yield servable
    servable.close()


@pytest.fixture(scope="module")
def half(half_plus_two: Path) -> Iterator[Servable]:
    servable = Servable.load("half_plus_two", 1, str(half_plus_two))
    yield servable
    servable.close()


@pytest.fixture(scope="module")
def slowly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servable]:
    path = tmp_path_factory.mktemp("slowly")
    write_slow(path, SLOW_MS)
    servable = Servable.load("slowly", 1, str(path))
    yield servable
    servable.close()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servable]:
    path = tmp_path_factory.mktemp("gate")
    write_gate(path)
    servable = Servable.load("gate", 1, str(path))
    yield servable
    servable.close()


class Held:
    """A Batcher whose only thread is blocked by a call, so that later calls wait together."""

    def __init__(
        self, gate: Servable, file: Path, parameters: BatchingParameters, max_rows_per_run: int | None
    ) -> None:
        self.runs: list[Batch] = []
        self.batcher = Batcher(parameters, max_rows_per_run=max_rows_per_run, observe=self.runs.append)
        self._file = file
        first = self.batcher.submit(gate, "serving_default", {"file": np.array(str(file).encode(), object)})
        wait_until(first.running)

    def release(self) -> None:
        self._file.touch()

    def seen(self, servable: Servable) -> list[tuple[str, int, int]]:
        return [(run.signature, run.calls, run.rows) for run in self.runs if run.servable is servable]


Hold = Callable[..., Held]


@pytest.fixture
def held(gate: Servable, tmp_path: Path) -> Iterator[Hold]:
    made: list[Held] = []

    def hold(*, max_rows_per_run: int | None = None, **parameters: int | tuple[int, ...]) -> Held:
        file = tmp_path / str(len(made))
        made.append(Held(gate, file, BatchingParameters(num_batch_threads=1, **parameters), max_rows_per_run))
        return made[-1]

    yield hold
    for one in made:
        one.release()
        one.batcher.close()


def ids(*values: int) -> dict[str, np.ndarray]:
    return {"id": np.array(values, np.int64)}


def result(future: Future[dict[str, np.ndarray]]) -> dict[str, list]:
    return {alias: array.tolist() for alias, array in future.result(SECONDS).items()}


def test_waiting_calls_run_together_and_get_their_own_rows(held: Hold, rows: Servable) -> None:
    waiting = held()
    futures = [waiting.batcher.submit(rows, "count", ids(*range(n * 10, n * 10 + n))) for n in range(1, 5)]
    waiting.release()
    for n, future in enumerate(futures, start=1):
        assert result(future) == {"id": list(range(n * 10, n * 10 + n)), "rows": [10] * n}
    assert waiting.seen(rows) == [("count", 4, 10)]


def test_a_single_call_runs_at_once(rows: Servable) -> None:
    runs: list[Batch] = []
    batcher = Batcher(observe=runs.append)
    for number in range(3):
        assert result(batcher.submit(rows, "count", ids(number))) == {"id": [number], "rows": [1]}
    batcher.close()
    assert [(run.servable, run.signature, run.calls, run.rows) for run in runs] == [(rows, "count", 1, 1)] * 3
    assert all(run.seconds > 0 for run in runs)


def test_a_batch_has_no_more_rows_than_allowed(held: Hold, rows: Servable) -> None:
    waiting = held(max_batch_size=4)
    futures = [waiting.batcher.submit(rows, "count", ids(*range(n))) for n in (2, 2, 3, 1, 4, 1)]
    waiting.release()
    assert [result(future)["rows"][0] for future in futures] == [4, 4, 4, 4, 4, 1]
    assert waiting.seen(rows) == [("count", 2, 4), ("count", 2, 4), ("count", 1, 4), ("count", 1, 1)]


def test_a_call_larger_than_a_batch_runs_alone_and_whole(held: Hold, rows: Servable) -> None:
    waiting = held(max_batch_size=4)
    futures = [waiting.batcher.submit(rows, "count", ids(*range(n))) for n in (1, 9, 1)]
    waiting.release()
    assert [result(future)["rows"] for future in futures] == [[2], [9] * 9, [2]]


def test_a_long_call_runs_in_pieces_between_which_others_have_their_turn(held: Hold, rows: Servable) -> None:
    waiting = held(max_batch_size=2, max_rows_per_run=4, batch_timeout_micros=0)
    long = waiting.batcher.submit(rows, "count", ids(*range(10)))
    short = [waiting.batcher.submit(rows, "count", ids(n)) for n in (20, 21, 22)]
    waiting.release()
    assert result(long) == {"id": list(range(10)), "rows": [4] * 8 + [2] * 2}
    assert [result(future) for future in short] == [{"id": [20 + n], "rows": [2 - n // 2]} for n in range(3)]
    assert waiting.seen(rows) == [
        ("count", 1, 4),
        ("count", 2, 2),
        ("count", 1, 4),
        ("count", 1, 1),
        ("count", 1, 2),
    ]


def test_a_long_call_whose_rows_depend_on_each_other_runs_whole(held: Hold, rows: Servable) -> None:
    waiting = held(max_rows_per_run=4, max_batch_size=4)
    shrinking = waiting.batcher.submit(rows, "distinct", ids(1, 2, 3, 4, 5, 5, 6, 1))
    growing = waiting.batcher.submit(rows, "padded", ids(1, 1, 1, 1, 3))
    waiting.release()
    assert result(shrinking) == {"id": [1, 2, 3, 4, 5, 6]}
    assert result(growing) == {"ones": [[1, 0, 0]] * 4 + [[1, 1, 1]]}


def test_a_long_call_fails_with_its_first_piece_that_fails(held: Hold, rows: Servable) -> None:
    waiting = held(max_rows_per_run=4, max_batch_size=4)
    future = waiting.batcher.submit(rows, "positive", ids(1, 2, 3, 4, 5, -6, 7, 8, 9))
    waiting.release()
    with pytest.raises(ServingError, match="a bad id"):
        future.result(SECONDS)
    assert waiting.seen(rows) == [("positive", 1, 4)]
    assert result(waiting.batcher.submit(rows, "positive", ids(1))) == {"id": [1]}
    assert not waiting.batcher._waiting


@pytest.mark.parametrize("seconds", [None, 0.5])
def test_a_long_call_that_nobody_waits_for_ends_with_its_piece(
    held: Hold, slowly: Servable, seconds: float | None
) -> None:
    waiting = held(max_rows_per_run=4, max_batch_size=4)
    waiting.release()
    deadline = seconds and time.monotonic() + seconds
    future = waiting.batcher.submit(slowly, "serving_default", {"x": np.zeros(4000, np.float32)}, None, deadline)
    if seconds:
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
            future.result(SECONDS)
    else:
        wait_until(lambda: not waiting.batcher._lanes)
        assert future.cancel()
    waiting.batcher.close()
    assert len(waiting.seen(slowly)) == (0 if seconds else 1)
    assert not waiting.batcher._waiting


def test_calls_that_nobody_waits_for_leave_their_place_in_a_batch(held: Hold, rows: Servable) -> None:
    waiting = held(max_batch_size=3)
    futures = [waiting.batcher.submit(rows, "count", ids(n)) for n in range(6)]
    for n in (0, 2, 3):
        assert futures[n].cancel()
    waiting.release()
    assert [result(futures[n])["rows"] for n in (1, 4, 5)] == [[3]] * 3


def test_a_batcher_that_waits_keeps_no_inputs(rows: Servable) -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=1))
    array = np.arange(5)
    gone = weakref.ref(array)
    assert result(batcher.submit(rows, "count", {"id": array}, ["id"])) == {"id": [0, 1, 2, 3, 4]}
    del array
    wait_until(lambda: gone() is None)
    batcher.close()


def test_only_compatible_calls_are_merged(held: Hold, rows: Servable, half: Servable) -> None:
    waiting = held()
    submit = waiting.batcher.submit
    first = [submit(rows, "count", ids(n)) for n in range(2)]
    other_outputs = [submit(rows, "count", ids(n), ["rows"]) for n in range(3)]
    other_signature = [submit(rows, "positive", ids(n)) for n in (1, 2)]
    by_turns = [submit(rows, "wide", {"id": np.int64([[n] * (1 + n % 2)])}) for n in range(4)]
    scalars = [submit(rows, "count", {"id": np.int64(n)}) for n in range(2)]
    empty = [submit(rows, "count", ids()) for _ in range(2)]
    totals = [submit(rows, "total", ids(n, n)) for n in range(2)]
    other_dtype = [submit(rows, "count", {"id": np.int32([n])}) for n in range(2)]
    other_servable = [submit(half, "serving_default", {"x": np.float32([n])}) for n in range(2)]
    waiting.release()
    assert [result(future) for future in first] == [{"id": [n], "rows": [2]} for n in range(2)]
    assert [result(future) for future in other_outputs] == [{"rows": [3]}] * 3
    assert [result(future) for future in other_signature] == [{"id": [n]} for n in (1, 2)]
    assert [result(future) for future in by_turns] == [{"id": [[n] * (1 + n % 2)], "rows": [2]} for n in range(4)]
    assert [result(future) for future in scalars] == [{"id": n, "rows": [1]} for n in range(2)]
    assert [result(future) for future in empty] == [{"id": [], "rows": []}] * 2
    assert [result(future) for future in totals] == [{"total": 2 * n} for n in range(2)]
    assert [result(future) for future in other_servable] == [{"y": [n / 2 + 2]} for n in range(2)]
    for future in other_dtype:
        with pytest.raises(ServingError, match="INVALID_ARGUMENT: Expects arg"):
            future.result(SECONDS)


def test_calls_merge_regardless_of_the_order_of_outputs(held: Hold, rows: Servable) -> None:
    waiting = held()
    one = waiting.batcher.submit(rows, "count", ids(1), ["id", "rows"])
    other = waiting.batcher.submit(rows, "count", ids(2), ["rows", "id"])
    waiting.release()
    assert [result(one), result(other)] == [{"id": [1], "rows": [2]}, {"id": [2], "rows": [2]}]


def test_one_bad_request_fails_alone(held: Hold, half: Servable) -> None:
    good = [example(x=float(x)).SerializeToString() for x in range(9)]
    waiting = held()
    futures = [
        waiting.batcher.submit(half, "regress", {"inputs": np.array([b"no example" if x == 5 else serialized], object)})
        for x, serialized in enumerate(good)
    ]
    waiting.release()
    for x, future in enumerate(futures):
        if x == 5:
            with pytest.raises(ServingError, match="Could not parse example input, value: 'no example'"):
                future.result(SECONDS)
        else:
            assert result(future) == {"outputs": [x / 2 + 2]}
    assert sum(calls for _, calls, _ in waiting.seen(half)) == 8


@given(bad=st.lists(st.booleans(), min_size=1, max_size=12))
@settings(max_examples=15)
def test_any_number_of_bad_requests_fail_alone(rows: Servable, bad: list[bool]) -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=1, batch_timeout_micros=20_000))
    futures = [batcher.submit(rows, "positive", ids(-n if wrong else n)) for n, wrong in enumerate(bad, start=1)]
    for n, (wrong, future) in enumerate(zip(bad, futures, strict=True), start=1):
        if wrong:
            with pytest.raises(ServingError, match="a bad id"):
                future.result(SECONDS)
        else:
            assert result(future) == {"id": [n]}
    batcher.close()


def test_calls_of_a_signature_with_a_false_shape_run_one_by_one(held: Hold, rows: Servable) -> None:
    waiting = held()
    futures = [waiting.batcher.submit(rows, "distinct", ids(n, n)) for n in range(4)]
    waiting.release()
    assert [result(future) for future in futures] == [{"id": [n]} for n in range(4)]


def test_batches_are_padded_to_the_allowed_sizes(held: Hold, rows: Servable) -> None:
    waiting = held(max_batch_size=8, allowed_batch_sizes=(2, 8))
    alone = waiting.batcher.submit(rows, "count", ids(9), ["rows"])
    several = [waiting.batcher.submit(rows, "count", ids(n)) for n in range(3)]
    large = waiting.batcher.submit(rows, "count", ids(*range(9)), ["rows"])
    waiting.release()
    assert result(alone) == {"rows": [2]}
    assert [result(future) for future in several] == [{"id": [n], "rows": [8]} for n in range(3)]
    assert result(large) == {"rows": [9] * 9}
    unkept = waiting.batcher.submit(rows, "distinct", ids(1))
    with pytest.raises(ServingError, match="FAILED_PRECONDITION: Batched output tensor's 0th dimension does not"):
        unkept.result(SECONDS)


def test_lanes_take_turns(held: Hold, rows: Servable) -> None:
    waiting = held(max_batch_size=2)
    many = [waiting.batcher.submit(rows, "count", ids(n)) for n in range(6)]
    few = waiting.batcher.submit(rows, "positive", ids(1))
    waiting.release()
    wait([*many, few], SECONDS)
    assert waiting.seen(rows) == [("count", 2, 2), ("positive", 1, 1), ("count", 2, 2), ("count", 2, 2)]


def test_a_call_past_its_deadline_is_not_run(held: Hold, rows: Servable) -> None:
    waiting = held()
    soon = time.monotonic() + 0.02
    late = [waiting.batcher.submit(rows, "count", ids(n), None, soon) for n in range(2)]
    in_time = waiting.batcher.submit(rows, "count", ids(2), None, soon + SECONDS)
    wait_until(lambda: time.monotonic() > soon)
    waiting.release()
    for future in late:
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
            future.result(SECONDS)
    assert result(in_time) == {"id": [2], "rows": [1]}
    assert waiting.seen(rows) == [("count", 1, 1)]


def test_a_deadline_ends_a_run(slowly: Servable) -> None:
    batcher = Batcher()
    start = time.monotonic()
    future = batcher.submit(slowly, "serving_default", {"x": np.float32([1])}, None, start + 0.02)
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        future.result(SECONDS)
    batcher.close()


@pytest.mark.parametrize("seconds", [None, SECONDS])
def test_a_batch_runs_until_its_latest_deadline(held: Hold, slowly: Servable, seconds: float | None) -> None:
    waiting = held()
    x = {"x": np.float32([1])}
    now = time.monotonic()
    later = waiting.batcher.submit(slowly, "serving_default", x, None, None if seconds is None else now + seconds)
    # This deadline ends during the run of the batch.
    soon = waiting.batcher.submit(slowly, "serving_default", x, None, now + 0.75 * SLOW_MS / 1000)
    waiting.release()
    assert [result(later), result(soon)] == [{"y": [1]}] * 2
    assert waiting.seen(slowly) == [("serving_default", 2, 2)]


def test_a_cancelled_call_is_not_run(held: Hold, rows: Servable) -> None:
    waiting = held()
    futures = [waiting.batcher.submit(rows, "count", ids(n)) for n in range(3)]
    alone = waiting.batcher.submit(rows, "total", ids(1))
    assert futures[1].cancel()
    assert alone.cancel()
    waiting.release()
    assert [result(futures[n]) for n in (0, 2)] == [{"id": [n], "rows": [2]} for n in (0, 2)]
    assert result(waiting.batcher.submit(rows, "positive", ids(1))) == {"id": [1]}
    assert waiting.seen(rows) == [("count", 2, 2), ("positive", 1, 1)]


def test_the_queue_is_bounded_for_each_servable(held: Hold, rows: Servable, half: Servable) -> None:
    waiting = held(max_batch_size=2, max_enqueued_batches=3)
    futures = [waiting.batcher.submit(rows, signature, ids(1)) for signature in ("count", "total") * 3]
    with pytest.raises(ServingError) as failure:
        waiting.batcher.submit(rows, "positive", ids(1))
    assert failure.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "6 rows (max_enqueued_batches x max_batch_size)" in failure.value.message
    other = waiting.batcher.submit(half, "serving_default", {"x": np.float32([0])})
    waiting.release()
    # Finished calls make room in the queue, also after a refusal.
    wait([*futures, other], SECONDS)
    assert result(waiting.batcher.submit(rows, "positive", ids(1))) == {"id": [1]}
    assert not waiting.batcher._waiting


def test_a_full_batch_does_not_wait_for_more(rows: Servable) -> None:
    batcher = Batcher(BatchingParameters(max_batch_size=3, batch_timeout_micros=10**9, num_batch_threads=1))
    futures = [batcher.submit(rows, "count", ids(n)) for n in range(3)]
    assert [result(future)["rows"] for future in futures] == [[3]] * 3
    # Neither do calls that cannot be merged.
    assert result(batcher.submit(rows, "total", ids(1))) == {"total": 1}
    batcher.close()


def test_calls_left_by_a_full_batch_wait_for_more(held: Hold, rows: Servable) -> None:
    waiting = held(max_batch_size=2, batch_timeout_micros=10**9)
    futures = [waiting.batcher.submit(rows, "count", ids(n)) for n in range(3)]
    waiting.release()
    wait(futures[:2], SECONDS)
    futures.append(waiting.batcher.submit(rows, "count", ids(3)))
    assert [result(future) for future in futures] == [{"id": [n], "rows": [2]} for n in range(4)]
    assert waiting.seen(rows) == [("count", 2, 2)] * 2


def test_waiting_for_more_ends_at_the_batch_timeout(rows: Servable) -> None:
    batcher = Batcher(BatchingParameters(max_batch_size=3, batch_timeout_micros=100_000, num_batch_threads=1))
    start = time.monotonic()
    futures = [batcher.submit(rows, "count", ids(n)) for n in range(2)]
    assert [result(future)["id"] for future in futures] == [[0], [1]]
    assert time.monotonic() - start >= 0.1
    batcher.close()


def test_closing_answers_queued_calls_and_refuses_new_ones(rows: Servable) -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=2, batch_timeout_micros=10**9))
    futures = [batcher.submit(rows, "count", ids(n)) for n in range(3)]
    batcher.close()
    assert [result(future) for future in futures] == [{"id": [n], "rows": [3]} for n in range(3)]
    with pytest.raises(ServingError, match="UNAVAILABLE: The server is shutting down"):
        batcher.submit(rows, "count", ids(1))
    assert not any(thread.is_alive() for thread in batcher._threads)


@pytest.mark.parametrize(
    ("threads", "cores", "loads", "running"), [(2, 2, 1, 1), (3, 4, 1, 3), (3, 4, 2, 2), (2, 1, 1, 1)]
)
def test_batches_leave_a_core_to_each_load(
    gate: Servable, tmp_path: Path, *, threads: int, cores: int, loads: int, running: int
) -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=threads), cores=cores)
    files = [tmp_path / str(number) for number in range(threads)]
    with ExitStack() as loading:
        for _ in range(loads):
            loading.enter_context(batcher.core_for_load())
        futures = [
            batcher.submit(gate, "serving_default", {"file": np.array(str(file).encode(), object)}) for file in files
        ]
        wait_until(lambda: sum(future.running() for future in futures) == running)
        time.sleep(0.05)  # threads that should not run another have the time to do so
        assert sum(future.running() for future in futures) == running
        for number in range(threads - running):  # a batch that ends makes room for the next
            files[number].touch()
            wait_until(lambda number=number: futures[running + number].running())
    wait_until(lambda: all(future.running() or future.done() for future in futures))
    for file in files:
        file.touch()
    assert [result(future) for future in futures] == [{"there": True}] * threads
    batcher.close()


def test_closing_during_a_load_answers_queued_calls(rows: Servable) -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=2), cores=1)
    with batcher.core_for_load():
        futures = [batcher.submit(rows, "total", ids(n)) for n in range(9)]
        batcher.close()
    assert [result(future) for future in futures] == [{"total": n} for n in range(9)]


def test_threads_are_named_after_the_pool() -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=3, thread_pool_name="mine"))
    assert {"mine-0", "mine-1", "mine-2"} <= {thread.name for thread in threading.enumerate()}
    batcher.close()


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["count", "wide", "positive", "distinct", "total"]),
        st.lists(st.integers(1, 99), max_size=5),
        st.booleans(),
    ),
    max_size=25,
)


@given(
    clients=st.lists(CALLS, min_size=1, max_size=6),
    max_batch_size=st.integers(1, 8),
    batch_timeout_micros=st.sampled_from([0, 500]),
    num_batch_threads=st.integers(1, 3),
    max_rows_per_run=st.sampled_from([None, 1, 2, 3]),
    padded=st.booleans(),
)
@settings(max_examples=150)
def test_every_caller_gets_exactly_its_own_rows(
    rows: Servable, clients: list, *, max_rows_per_run: int | None, padded: bool, **parameters: int
) -> None:
    most = parameters["max_batch_size"]
    allowed = (most,) if padded else ()
    batcher = Batcher(BatchingParameters(allowed_batch_sizes=allowed, **parameters), max_rows_per_run=max_rows_per_run)

    def outcome(call: tuple[str, list[int], bool]) -> None:
        signature, values, cancel = call
        array = np.array(values, np.int64)
        inputs = {"id": array.reshape(-1, 1) if signature == "wide" else array}
        future = batcher.submit(rows, signature, inputs, ["total" if signature == "total" else "id"])
        if cancel and future.cancel():
            return
        is_split = max_rows_per_run is not None and len(values) > max(most, max_rows_per_run)
        if signature == "distinct" and (is_split or (padded and 0 < len(values) < most)):
            return  # the signature returns fewer rows than it declares
        expected = {
            "wide": [[value] for value in values],
            "distinct": list(dict.fromkeys(values)),
            "total": sum(values),
        }.get(signature, values)
        assert list(result(future).values()) == [expected]

    def client(calls: list[tuple[str, list[int], bool]]) -> None:
        for call in calls:
            outcome(call)

    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(client, clients))
    batcher.close()
    assert not batcher._waiting
    assert not batcher._lanes


async def closed_loop(batcher: Batcher, servable: Servable, clients: int, rounds: int) -> None:
    """Clients that each call again as soon as they have their answer."""
    delivery = Delivery(batcher)

    async def client(number: int) -> None:
        for _ in range(rounds):
            outputs = await delivery.run(servable, "count", ids(number))
            assert outputs["id"].tolist() == [number]

    await asyncio.gather(*(client(number) for number in range(clients)))


@pytest.mark.parametrize("clients", [1, 2, 16])
def test_clients_that_call_again_soon_share_one_batch(rows: Servable, clients: int) -> None:
    runs: list[Batch] = []
    batcher = Batcher(BatchingParameters(num_batch_threads=1), observe=runs.append)
    asyncio.run(closed_loop(batcher, rows, clients, rounds=20))
    batcher.close()
    assert sum(run.calls for run in runs) == 20 * clients
    # The first call finds nobody else, and its client is then a batch behind the others or among them.
    assert sum(run.calls == clients for run in runs) >= 15


def test_calls_wait_for_others_only_if_there_were_more_lately(held: Hold, rows: Servable) -> None:
    waiting = held()
    futures = [waiting.batcher.submit(rows, "count", ids(n)) for n in range(2)]
    assert not waiting.batcher.is_waiting  # but for the thread
    waiting.release()
    for future in futures:
        result(future)
    waiting = held()
    waiting.batcher._traffic[rows] = {"count": Traffic(usual=2)}
    future = waiting.batcher.submit(rows, "count", ids(1))
    assert waiting.batcher.is_waiting
    waiting.release()
    assert result(future)["id"] == [1]
    assert not waiting.batcher.is_waiting


def test_a_batch_waits_for_nobody_if_no_time_is_allowed(rows: Servable) -> None:
    runs: list[Batch] = []
    batcher = Batcher(BatchingParameters(num_batch_threads=1, batch_timeout_micros=0), observe=runs.append)
    asyncio.run(closed_loop(batcher, rows, 16, rounds=20))
    batcher.close()
    assert sum(run.calls for run in runs) == 320


def test_two_threads_share_the_calls_that_wait(held: Hold, rows: Servable) -> None:
    waiting = held()
    waiting.batcher._parameters = replace(waiting.batcher._parameters, num_batch_threads=2)
    futures = [waiting.batcher.submit(rows, "count", ids(n)) for n in range(7)]
    waiting.release()
    assert [result(future)["rows"][0] for future in futures] == [4, 4, 4, 4, 2, 2, 1]


def test_calls_that_end_in_any_way_are_in_flight_no_more(held: Hold, rows: Servable) -> None:
    waiting = held()
    futures = [waiting.batcher.submit(rows, "positive", ids(n)) for n in (1, -2, 3, 4, 5)]
    late = waiting.batcher.submit(rows, "positive", ids(6), None, time.monotonic())
    futures[4].cancel()
    waiting.release()
    assert [result(futures[n]) for n in (0, 2, 3)] == [{"id": [n + 1]} for n in (0, 2, 3)]
    with pytest.raises(ServingError, match="a bad id"):
        futures[1].result(SECONDS)
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        late.result(SECONDS)
    waiting.batcher.close()
    traffic = waiting.batcher._traffic[rows]["positive"]
    assert (traffic.in_flight, traffic.usual) == (0, 6)


def test_a_closed_servable_leaves_nothing_behind(half_plus_two: Path) -> None:
    batcher = Batcher(BatchingParameters(num_batch_threads=1))
    servable = Servable.load("half_plus_two", 1, str(half_plus_two))
    batcher.submit(servable, "serving_default", {"x": np.float32([1])}).result(SECONDS)
    servable.close()
    gone = weakref.ref(servable)
    del servable
    wait_until(lambda: gc.collect() >= 0 and gone() is None)
    assert not batcher._traffic
    batcher.close()

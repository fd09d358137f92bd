import pytest

from benchmarks.serving.metrics import batch_figures

ROWS = ":tensorflow:serving:batching_session:processed_batch_size"
QUEUED = ":tensorflow:serving:batching_session:queuing_latency"
BOTH = ":tensorflow:serving:runtime_latency"


def totals(batches: int, rows: float, calls: int, queued: float, both: float) -> dict[str, float]:
    return {
        f"{ROWS}_count": batches,
        f"{ROWS}_sum": rows,
        f"{QUEUED}_count": calls,
        f"{QUEUED}_sum": queued,
        f"{BOTH}_count": calls,
        f"{BOTH}_sum": both,
    }


def test_means_are_those_between_the_readings():
    before, after = totals(10, 100, 100, 5e5, 9e5), totals(12, 220, 220, 1.7e6, 4.5e6)
    # 120 calls in 2 batches, which queued 1.2 s and took 3.6 s in all
    assert batch_figures(before, after) == pytest.approx({"rows_per_batch": 60.0, "queued_ms": 10.0, "run_ms": 20.0})
    assert batch_figures({}, totals(1, 3, 3, 3e3, 6e3)) == pytest.approx(
        {"rows_per_batch": 3.0, "queued_ms": 1.0, "run_ms": 1.0}
    )

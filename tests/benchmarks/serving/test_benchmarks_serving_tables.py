import pytest

from benchmarks.serving import tables


def record(p50: float, rate: float, failures: dict[str, int]) -> dict:
    row = {"requests": 100, "failures": {}, "p50_ms": p50, "p99_ms": 2 * p50, "reviews_per_second": rate}
    row |= {"server_cpu_us": 700.0, "client_cpu_us": 200.0}
    return {
        "command": "python -m benchmarks.serving",
        "date": "2026-01-01",
        "machine": {"cpu": "a CPU", "cores": 2},
        "load": {"average": [0.1, 0.1, 0.1]},
        "in_process": {
            "sessions": {
                "all cores a run": {"p50_ms": 20.0, "p99_ms": 30.0, "rates": {"1": 50.0, "64": 900.0}},
                "one core a run": {"p50_ms": 10.0, "p99_ms": 12.0, "rates": {"1": 100.0, "64": 1000.0}},
            },
            "p50_ms": 10.0,
            "best_rate": 1000.0,
            "best_session": "one core a run",
            "best_batch": 64,
        },
        "server": [
            {"reviews_per_request": 1, "clients": 1, **row},
            {"reviews_per_request": 1, "clients": 64, **row},
        ],
        "without_model": {
            "reviews_per_request": 1,
            "clients": 64,
            **row,
            "server_cpu_us": 350.0,
            "client_cpu_us": 250.0,
        },
        "soak": {"seconds": 60.0, "versions": 12, **row, "failures": failures},
    }


def target_cells(measured: dict) -> list[list[str]]:
    _, targets = tables.all_tables(measured)
    return [row[1:] for row in targets.rows]


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (record(15.0, 900.0, {}), [["<= 1.5", "1.50", "met"], [">= 0.9", "0.90", "met"], ["0", "0", "met"]]),
        (
            record(16.0, 899.0, {"UNAVAILABLE": 2, "INTERNAL": 1}),
            [["<= 1.5", "1.60", "NOT MET"], [">= 0.9", "0.90", "NOT MET"], ["0", "3", "NOT MET"]],
        ),
    ],
    ids=["met", "missed"],
)
def test_targets_are_ratios_within_one_run(measured, expected):
    assert target_cells(measured) == expected


def test_each_row_has_the_cpu_time_per_request():
    latency, _ = tables.all_tables(record(15.0, 900.0, {}))
    assert latency.columns[-3:] == ["server CPU, us/request", "client CPU, us/request", "failed"]
    assert [row[-3:] for row in latency.rows] == [
        *[["-", "-", "0"]] * 4,
        *[["700", "200", "0"]] * 2,
        ["350", "250", "0"],
        ["-", "-", "-"],
    ]


def test_the_highest_possible_rate_is_the_cores_time_divided_by_that_of_a_request():
    measured = record(15.0, 900.0, {})
    # 2 cores / (350 + 250 us of gRPC + 1000 us for a review in a batch of 64 at 1000 reviews/s)
    assert tables.most_single_reviews(measured) == pytest.approx(1250.0)
    latency, _ = tables.all_tables(measured)
    assert latency.rows[-1][0] == "most possible, 64 clients, 1 per request"
    assert latency.rows[-1][4:6] == ["1250", "1.25"]


def test_the_best_of_both_sessions_is_marked():
    latency, _ = tables.all_tables(record(15.0, 900.0, {}))
    assert [row[0] for row in latency.rows if row[0].startswith("in-process")] == [
        "in-process, all cores a run, batch of 1",
        "in-process, all cores a run, batch of 64",
        "in-process, one core a run, batch of 1",
        "in-process, one core a run, batch of 64 (best)",
    ]
    assert [row[3] for row in latency.rows[:4]] == ["2.00", "-", "1.00", "-"]

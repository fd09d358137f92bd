import pytest

from benchmarks.serving import tables

SIZES = ("1", "64", "128")


def alone(rates: tuple[float, float, float]) -> dict:
    return {"p50_ms": 10.0, "p99_ms": 12.0, "rates": dict(zip(SIZES, rates, strict=True))}


def row(words: int, reviews: int, clients: int, *, rate=100.0, p50=10.0, cpu=1600.0) -> dict:
    return {
        "words": words,
        "reviews_per_request": reviews,
        "clients": clients,
        "requests": 100,
        "failures": {},
        "p50_ms": p50,
        "p99_ms": 2 * p50,
        "reviews_per_second": rate,
        "server_cpu_us": cpu,
        "client_cpu_us": 200.0,
        "rows_per_batch": 60.0,
        "queued_ms": 4.0,
        "run_ms": 30.0,
    }


def record(*, better: bool, failures: dict[str, int]) -> dict:
    """A record in which all targets are just met, or just missed."""
    without_model = row(200, 1, 64, cpu=350.0)
    for name in ("rows_per_batch", "queued_ms", "run_ms"):
        del without_model[name]

    def one(speed: float) -> dict:
        """A round; the machine is slower in some of them, by the same factor for all."""
        full = (1000.0 if better else 999.0) * speed
        return {
            # A review takes 650 us in a batch of 64.
            "in_process": {
                "200": alone((100.0 * speed, 1e6 / 650 * speed, 2000.0 * speed)),
                "20": alone((500.0, 9000.0, 8000.0)),
            },
            "server": [
                row(10, 1, 1, p50=(3.0 if better else 3.1) / speed),
                row(200, 1, 1, p50=10.0 / speed),
                row(20, 1, 64, rate=(1500.0 if better else 1490.0) * speed),
                row(200, 1, 64, rate=full, cpu=(1600.0 if better else 1620.0) / speed),
                row(200, 4, 64, rate=(1800.0 if better else 1780.0) * speed),
            ],
            "without_model": without_model | {"server_cpu_us": 350.0 / speed},
        }

    return {
        "command": "python -m benchmarks.serving",
        "date": "2026-01-01",
        "machine": {"cpu": "a CPU", "cores": 2},
        "load": {"average": [0.1, 0.1, 0.1]},
        "rounds": [one(1.0), one(0.5), one(1.25)],
        "parts": {"parsing": 5.0, "reading": 15.0, "answering": 30.0},
        "soak": {"seconds": 60.0, "versions": 12, **row(200, 1, 8), "failures": failures},
    }


def table(measured: dict, title: str) -> list[list[str]]:
    return next(one.rows for one in tables.all_tables(measured) if one.title.startswith(title))


@pytest.mark.parametrize(
    ("better", "failures", "expected"),
    [
        (
            True,
            {},
            [
                ["<= 1.6", "1.60", "met"],
                [">= 0.5", "0.50", "met"],
                [">= 1.5", "1.50", "met"],
                [">= 0.9", "0.90", "met"],
                ["<= 0.3", "0.30", "met"],
                ["0", "0", "met"],
            ],
        ),
        (
            False,
            {"UNAVAILABLE": 2, "INTERNAL": 1},
            [
                ["<= 1.6", "1.62", "NOT MET"],
                [">= 0.5", "0.50", "NOT MET"],
                [">= 1.5", "1.49", "NOT MET"],
                [">= 0.9", "0.89", "NOT MET"],
                ["<= 0.3", "0.31", "NOT MET"],
                ["0", "3", "NOT MET"],
            ],
        ),
    ],
    ids=["met", "missed"],
)
def test_targets_are_ratios_within_a_round(better, failures, expected):
    assert [row[1:] for row in table(record(better=better, failures=failures), "Targets")] == expected


def test_a_row_has_the_ratio_to_the_best_rate_and_the_batches_that_were_seen():
    rows = table(record(better=True, failures={}), "The server")
    assert rows[3] == [
        "server, 64 clients, 1 review of 200 words each",
        *["10.0", "20.0", "1000", "0.50", "1600", "200", "60.0", "4.0", "30.0", "0"],
    ]
    assert rows[-1][0] == "a server without a model, 64 clients, 1 review of 200 words each"
    assert rows[-1][-4:] == ["-", "-", "-", "0"]


def test_the_parts_of_a_request_and_the_rest_are_the_whole():
    parts = table(record(better=True, failures={}), "Where")
    assert parts == [
        ["gRPC: a server without a model", "350", "22%"],
        ["parsing the request", "5", "0%"],
        ["reading the request", "15", "1%"],
        ["answering the request", "30", "2%"],
        ["the model: in-process, batches of 64", "650", "41%"],
        ["the rest", "550", "34%"],
        ["all, as measured", "1600", "100%"],
    ]


def test_the_best_batch_of_each_length_is_marked():
    rows = table(record(better=True, failures={}), "In-process")
    assert [row[:2] for row in rows] == [
        ["200", "1"],
        ["200", "64"],
        ["200", "128 (best)"],
        ["20", "1"],
        ["20", "64 (best)"],
        ["20", "128"],
    ]
    assert rows[1][-1] == "650"


def test_peers_are_a_table_of_their_own_if_they_were_measured():
    measured = record(better=True, failures={})
    titles = [one.title for one in tables.all_tables(measured)]
    ours, other = row(200, 1, 64, rate=900.0), row(200, 1, 64, rate=300.0, cpu=3300.0)
    measured["peers"] = [ours | {"server": "this server, REST"}, other | {"server": "Peer 1.0", "failures": {"503": 2}}]
    title = "Peers over HTTP, 64 clients, one review each, on one core"
    assert table(measured, "Peers") == [
        ["this server, REST", "200", "10.0", "20.0", "900", "1600", "200", "0"],
        ["Peer 1.0", "200", "10.0", "20.0", "300", "3300", "200", "2"],
    ]
    assert [one.title for one in tables.all_tables(measured)] == [*titles[:-1], title, titles[-1]]
    assert title in tables.markdown(measured)

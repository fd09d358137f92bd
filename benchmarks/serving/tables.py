"""Lays the figures of a serving benchmark's record out as tables, with their targets."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from benchmarks.markdown import page, section
from pipeline.text_table import TextTable

FULL_LENGTH: Final = "200"  # words, as a key of the record
SHORT: Final = "20"
SHORTEST: Final = "10"

CPU_RATIO: Final = 1.6
SINGLE_RATE_RATIO: Final = 0.5
SHORT_RATE_RATIO: Final = 1.5
RATE_RATIO: Final = 0.9
SHORT_LATENCY_RATIO: Final = 0.3

_MOST_CLIENTS: Final = 64

ServingRecord = Mapping[str, Any]
Row = Mapping[str, Any]


def all_tables(record: ServingRecord) -> Iterator[TextTable]:
    """Yields the tables of a record."""
    best = record["in_process"][FULL_LENGTH]["best_rate"]
    yield _in_process(record)
    rows = [_through_grpc("server", row, best) for row in record["server"]]
    rows.append(_through_grpc("a server without a model", record["without_model"], best))
    cpu = ["server CPU, us/request", "client CPU, us/request"]
    batches = ["rows a batch", "queued, ms", "run, ms"]
    columns = ["serve_text over gRPC", "p50, ms", "p99, ms", "reviews/s", "ratio", *cpu, *batches, "failed"]
    yield TextTable("The server, pinned to one core", columns, rows)
    yield TextTable(
        "Where a request's CPU time goes: 64 clients, one full-length review each",
        ["part", "us", "share"],
        [[name, f"{spent:.0f}", f"{spent / total:.0%}"] for name, spent, total in _parts(record)],
    )
    if record.get("peers"):
        yield _peers(record["peers"])
    yield TextTable("Targets", ["", "asked", "measured", ""], [list(row) for row in _targets(record)])


def _in_process(record: ServingRecord) -> TextTable:
    rows = []
    for words, found in record["in_process"].items():
        for size, rate in found["rates"].items():
            mark = " (best)" if int(size) == found["best_batch"] else ""
            times = [f"{found['p50_ms']:.1f}", f"{found['p99_ms']:.1f}"] if size == "1" else ["-", "-"]
            rows.append([words, f"{size}{mark}", *times, f"{rate:.0f}", f"{1e6 / rate:.0f}"])
    columns = ["words", "reviews a batch", "p50, ms", "p99, ms", "reviews/s", "us/review"]
    return TextTable("In-process, on one core", columns, rows)


def _through_grpc(server: str, row: Row, best: float) -> list[str]:
    reviews = f"{row['reviews_per_request']} review{'s' * (row['reviews_per_request'] > 1)}"
    clients = f"{row['clients']} client{'s' * (row['clients'] > 1)}"
    has_batches = "rows_per_batch" in row
    return [
        f"{server}, {clients}, {reviews} of {row['words']} words each",
        f"{row['p50_ms']:.1f}",
        f"{row['p99_ms']:.1f}",
        f"{row['reviews_per_second']:.0f}",
        f"{row['reviews_per_second'] / best:.2f}",
        f"{row['server_cpu_us']:.0f}",
        f"{row['client_cpu_us']:.0f}",
        *([f"{row[name]:.1f}" for name in ("rows_per_batch", "queued_ms", "run_ms")] if has_batches else ["-"] * 3),
        str(sum(row["failures"].values())),
    ]


def _peers(rows: Sequence[Row]) -> TextTable:
    cells = [
        [
            row["server"],
            str(row["words"]),
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['reviews_per_second']:.0f}",
            f"{row['server_cpu_us']:.0f}",
            f"{row['client_cpu_us']:.0f}",
            str(sum(row["failures"].values())),
        ]
        for row in rows
    ]
    cpu = ["server CPU, us/request", "client CPU, us/request"]
    columns = ["server", "words", "p50, ms", "p99, ms", "reviews/s", *cpu, "failed"]
    return TextTable(f"Peers over HTTP, {_MOST_CLIENTS} clients, one review each, on one core", columns, cells)


def _parts(record: ServingRecord) -> Iterator[tuple[str, float, float]]:
    """Yields what a request's CPU time consists of, each part measured on its own, and the whole.

    The rest is queueing, waking threads, metrics, and Python between all these.
    """
    row = _row(record, int(FULL_LENGTH), 1, _MOST_CLIENTS)
    whole = row["server_cpu_us"]
    rates = record["in_process"][FULL_LENGTH]["rates"]
    size = min(rates, key=lambda size: abs(int(size) - row["rows_per_batch"]))
    parts: dict[str, float] = {
        "gRPC: a server without a model": record["without_model"]["server_cpu_us"],
        **{f"{name} the request": us for name, us in record["parts"].items()},
        f"the model: in-process, batches of {size}": 1e6 / rates[size],
    }
    for name, spent in parts.items():
        yield name, spent, whole
    yield "the rest", whole - sum(parts.values()), whole
    yield "all, as measured", whole, whole


def _row(record: ServingRecord, words: int, reviews: int, clients: int) -> Row:
    wanted = (words, reviews, clients)
    rows = (row for row in record["server"] if (row["words"], row["reviews_per_request"], row["clients"]) == wanted)
    return next(rows)


def _targets(record: ServingRecord) -> Iterator[tuple[str, str, str, str]]:
    alone = record["in_process"][FULL_LENGTH]
    full = _row(record, int(FULL_LENGTH), 1, _MOST_CLIENTS)
    short = _row(record, int(SHORT), 1, _MOST_CLIENTS)
    least = record["without_model"]["server_cpu_us"] + 1e6 / alone["rates"][str(_MOST_CLIENTS)]
    ratio = full["server_cpu_us"] / least
    name = f"CPU of a request, 64 clients, ratio to gRPC without a model + model in a batch of 64 ({least:.0f} us)"
    yield name, f"<= {CPU_RATIO}", f"{ratio:.2f}", _met(ratio <= CPU_RATIO)
    ratio = full["reviews_per_second"] / alone["best_rate"]
    name = f"full-length reviews/s, 64 clients, one each, ratio to the best in-process ({alone['best_rate']:.0f})"
    yield name, f">= {SINGLE_RATE_RATIO}", f"{ratio:.2f}", _met(ratio >= SINGLE_RATE_RATIO)
    ratio = short["reviews_per_second"] / full["reviews_per_second"]
    name = f"reviews/s of {SHORT} words, 64 clients, one each, ratio to those of full length"
    yield name, f">= {SHORT_RATE_RATIO}", f"{ratio:.2f}", _met(ratio >= SHORT_RATE_RATIO)
    for row in record["server"]:
        if row["clients"] == _MOST_CLIENTS and row["reviews_per_request"] > 1:
            ratio = row["reviews_per_second"] / alone["best_rate"]
            name = f"full-length reviews/s, 64 clients, {row['reviews_per_request']} each, ratio to the best in-process"
            yield name, f">= {RATE_RATIO}", f"{ratio:.2f}", _met(ratio >= RATE_RATIO)
    ratio = _row(record, int(SHORTEST), 1, 1)["p50_ms"] / _row(record, int(FULL_LENGTH), 1, 1)["p50_ms"]
    name = f"p50 of a review of {SHORTEST} words, one client, ratio to that of {FULL_LENGTH} words"
    yield name, f"<= {SHORT_LATENCY_RATIO}", f"{ratio:.2f}", _met(ratio <= SHORT_LATENCY_RATIO)
    soak = record["soak"]
    if soak:
        failed = sum(soak["failures"].values())
        name = f"failed requests in {soak['seconds']:g} s, {soak['versions']} versions, {soak['requests']:,} requests"
        yield name, "0", str(failed), _met(failed == 0)


def markdown(record: ServingRecord) -> str:
    """Renders a record for docs/results.md."""
    machine = record["machine"]
    load = record["load"]["average"][0]
    lines = [
        *section(f"Serving, {record['date']}", record["command"]),
        f"- {machine['cpu']}, {machine['cores']} cores; load before the start {load:.2f}.",
        "",
        *chain.from_iterable(table.markdown() for table in all_tables(record)),
    ]
    return page(lines)


def _met(met: bool) -> str:
    return "met" if met else "NOT MET"

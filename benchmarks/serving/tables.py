"""Lays the figures of a serving benchmark's record out as tables, with their targets."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from benchmarks.markdown import page, section
from pipeline.text_table import TextTable

LATENCY_RATIO: Final = 1.5
RATE_RATIO: Final = 0.9

# Names of sessions: TensorFlow's default one, and the server's.
ALL_CORES: Final = "all cores a run"
ONE_CORE: Final = "one core a run"

_MOST_CLIENTS: Final = 64

ServingRecord = Mapping[str, Any]


def all_tables(record: ServingRecord) -> Iterator[TextTable]:
    """Yields the tables of a record."""
    alone = record["in_process"]
    best = alone["best_rate"]
    rows = []
    # The rate of each batch size: a server cannot form larger batches than it has reviews in flight.
    for session, found in alone["sessions"].items():
        times = [f"{found['p50_ms']:.1f}", f"{found['p99_ms']:.1f}", f"{found['p50_ms'] / alone['p50_ms']:.2f}"]
        for size, rate in found["rates"].items():
            mark = " (best)" if (session, int(size)) == (alone["best_session"], alone["best_batch"]) else ""
            shown = times if size == "1" else ["-"] * len(times)
            name = f"in-process, {session}, batch of {size}{mark}"
            rows.append([name, *shown, f"{rate:.0f}", f"{rate / best:.2f}", "-", "-", "0"])
    rows += [_through_grpc("server", row, alone) for row in record["server"]]
    rows.append(_through_grpc("a server without a model", record["without_model"], alone))
    most = most_single_reviews(record)
    name = f"most possible, {_MOST_CLIENTS} clients, 1 per request"
    rows.append([name, "-", "-", "-", f"{most:.0f}", f"{most / best:.2f}", "-", "-", "-"])
    cpu = ["server CPU, us/request", "client CPU, us/request"]
    columns = ["serve_text", "p50, ms", "p99, ms", "p50 ratio", "reviews/s", "ratio to best", *cpu, "failed"]
    yield TextTable("Latency and throughput", columns, rows)
    yield TextTable("Targets", ["", "asked", "measured", ""], [list(row) for row in _targets(record)])


def _through_grpc(server: str, row: Mapping[str, Any], alone: Mapping[str, Any]) -> list[str]:
    return [
        f"{server}, {row['clients']} clients, {row['reviews_per_request']} per request",
        f"{row['p50_ms']:.1f}",
        f"{row['p99_ms']:.1f}",
        f"{row['p50_ms'] / alone['p50_ms']:.2f}" if row["reviews_per_request"] == 1 else "-",
        f"{row['reviews_per_second']:.0f}",
        f"{row['reviews_per_second'] / alone['best_rate']:.2f}",
        f"{row['server_cpu_us']:.0f}",
        f"{row['client_cpu_us']:.0f}",
        str(sum(row["failures"].values())),
    ]


def most_single_reviews(record: ServingRecord) -> float:
    """Computes the most reviews per second that 64 clients with single reviews can get from any server on `grpc.aio`.

    A request needs CPU time for gRPC in server and client, and its share of a run of the network on a batch, which
    cannot hold more reviews than there are clients: cores / (CPU seconds of a request without a model + CPU seconds of
    a review in a batch of 64).
    """
    empty = record["without_model"]
    grpc_seconds = (empty["server_cpu_us"] + empty["client_cpu_us"]) / 1e6
    network_seconds = 1 / record["in_process"]["sessions"][ONE_CORE]["rates"][str(_MOST_CLIENTS)]
    return float(record["machine"]["cores"] / (grpc_seconds + network_seconds))


def _targets(record: ServingRecord) -> Iterator[tuple[str, str, str, str]]:
    alone = record["in_process"]
    for row in record["server"]:
        size = row["reviews_per_request"]
        if row["clients"] == 1 and size == 1:
            ratio = row["p50_ms"] / alone["p50_ms"]
            name = "p50 at one client, ratio to the best in-process"
            yield name, f"<= {LATENCY_RATIO}", f"{ratio:.2f}", _met(ratio <= LATENCY_RATIO)
        if row["clients"] == _MOST_CLIENTS:
            ratio = row["reviews_per_second"] / alone["best_rate"]
            name = f"reviews/s at 64 clients, {size} in a request, ratio to the best in-process rate"
            yield name, f">= {RATE_RATIO}", f"{ratio:.2f}", _met(ratio >= RATE_RATIO)
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

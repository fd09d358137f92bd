"""A record's figures as tables, with the ratios that were asked for."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.results import table_lines
from pipeline.table import Table

LATENCY_RATIO: Final = 1.5
RATE_RATIO: Final = 0.9

Record = Mapping[str, Any]


def all_of(record: Record) -> Iterator[Table]:
    """Yields the tables of a record."""
    alone = record["in_process"]
    best = alone["best_rate"]
    rows = []
    # What a batch of each size can reach at all: so many calls in flight at once make no larger one.
    for session, found in alone["sessions"].items():
        times = [f"{found['p50_ms']:.1f}", f"{found['p99_ms']:.1f}", f"{found['p50_ms'] / alone['p50_ms']:.2f}"]
        for size, rate in found["rates"].items():
            mark = " (best)" if (session, int(size)) == (alone["best_session"], alone["best_batch"]) else ""
            shown = times if size == "1" else ["-"] * len(times)
            name = f"in-process, {session}, batch of {size}{mark}"
            rows.append([name, *shown, f"{rate:.0f}", f"{rate / best:.2f}", "-", "-", "0"])
    for row in record["server"]:
        single = row["reviews_per_request"] == 1
        rows.append(
            [
                f"server, {row['clients']} clients, {row['reviews_per_request']} per request",
                f"{row['p50_ms']:.1f}",
                f"{row['p99_ms']:.1f}",
                f"{row['p50_ms'] / alone['p50_ms']:.2f}" if single else "-",
                f"{row['reviews_per_second']:.0f}",
                f"{row['reviews_per_second'] / best:.2f}",
                f"{row['server_cpu_us']:.0f}",
                f"{row['client_cpu_us']:.0f}",
                str(sum(row["failures"].values())),
            ]
        )
    cpu = ["server CPU, us/request", "client CPU, us/request"]
    columns = ["serve_text", "p50, ms", "p99, ms", "p50 ratio", "reviews/s", "ratio to best", *cpu, "failed"]
    yield Table("Latency and throughput", columns, rows)
    yield Table("Targets", ["", "asked", "measured", ""], [list(row) for row in _targets(record)])


def _targets(record: Record) -> Iterator[tuple[str, str, str, str]]:
    alone = record["in_process"]
    for row in record["server"]:
        size = row["reviews_per_request"]
        if row["clients"] == 1 and size == 1:
            ratio = row["p50_ms"] / alone["p50_ms"]
            yield (
                "p50 at one client, ratio to the best in-process",
                f"<= {LATENCY_RATIO}",
                f"{ratio:.2f}",
                _met(ratio <= LATENCY_RATIO),
            )
        if row["clients"] == 64:  # noqa: PLR2004 - as asked
            ratio = row["reviews_per_second"] / alone["best_rate"]
            name = f"reviews/s at 64 clients, {size} in a request, ratio to the best in-process rate"
            yield name, f">= {RATE_RATIO}", f"{ratio:.2f}", _met(ratio >= RATE_RATIO)
    soak = record["soak"]
    if soak:
        failed = sum(soak["failures"].values())
        name = f"failed requests in {soak['seconds']:g} s, {soak['versions']} versions, {soak['requests']:,} requests"
        yield name, "0", str(failed), _met(failed == 0)


def markdown(record: Record) -> str:
    """Renders a record for docs/results.md."""
    machine = record["machine"]
    lines = [f"## Serving, {record['date']}", "", "```sh", record["command"], "```", ""]
    lines += [
        f"- {machine['cpu']}, {machine['cores']} cores; load before the start {record['load']['average'][0]:.2f}.",
        "",
    ]
    for table in all_of(record):
        lines += table_lines(table)
    return "\n".join(lines).rstrip("\n") + "\n"


def _met(met: bool) -> str:
    return "met" if met else "NOT MET"

"""Lays the figures of a serving benchmark's record out as tables, with their targets.

A figure is the median of the rounds, and a ratio that of the ratios within a round.
"""

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from statistics import median
from typing import Any, Final, TypeAlias

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

# The keys that lead to a figure, or to a row of figures, in each round of a record.
_Place: TypeAlias = tuple[str | int, ...]

_WITHOUT_MODEL: Final[_Place] = ("without_model",)


def all_tables(record: ServingRecord) -> Iterator[TextTable]:
    """Yields the tables of a record."""
    yield _in_process(record)
    places: list[_Place] = [("server", number) for number in range(len(record["rounds"][0]["server"]))]
    rows = [_through_grpc(record, "server", place) for place in places]
    rows.append(_through_grpc(record, "a server without a model", _WITHOUT_MODEL))
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


def _figures(record: ServingRecord, *place: str | int) -> list[Any]:
    """Returns a figure of each round."""
    return [functools.reduce(operator.getitem, place, one) for one in record["rounds"]]


def _median(record: ServingRecord, *place: str | int) -> float:
    return float(median(_figures(record, *place)))


def _ratio(figures: Sequence[float], others: Sequence[float]) -> float:
    return median(figure / other for figure, other in zip(figures, others, strict=True))


def _rates(record: ServingRecord, words: str) -> dict[str, float]:
    """Returns the in-process rates by batch size."""
    sizes = record["rounds"][0]["in_process"][words]["rates"]
    return {size: _median(record, "in_process", words, "rates", size) for size in sizes}


def _best(record: ServingRecord, words: str) -> _Place:
    """Returns the place of the best in-process rate."""
    rates = _rates(record, words)
    return "in_process", words, "rates", max(rates, key=lambda size: rates[size])


def _in_process(record: ServingRecord) -> TextTable:
    rows = []
    for words in record["rounds"][0]["in_process"]:
        *_, best = _best(record, words)
        p50, p99 = (_median(record, "in_process", words, name) for name in ("p50_ms", "p99_ms"))
        for size, rate in _rates(record, words).items():
            times = [f"{p50:.1f}", f"{p99:.1f}"] if size == "1" else ["-", "-"]
            rows.append([words, f"{size}{' (best)' * (size == best)}", *times, f"{rate:.0f}", f"{1e6 / rate:.0f}"])
    columns = ["words", "reviews a batch", "p50, ms", "p99, ms", "reviews/s", "us/review"]
    return TextTable("In-process, on one core", columns, rows)


def _through_grpc(record: ServingRecord, server: str, place: _Place) -> list[str]:
    row: Row = _figures(record, *place)[0]
    reviews = f"{row['reviews_per_request']} review{'s' * (row['reviews_per_request'] > 1)}"
    clients = f"{row['clients']} client{'s' * (row['clients'] > 1)}"
    failures = (one for failed in _figures(record, *place, "failures") for one in failed.values())

    def shown(name: str, digits: int) -> str:
        return f"{_median(record, *place, name):.{digits}f}" if name in row else "-"

    return [
        f"{server}, {clients}, {reviews} of {row['words']} words each",
        shown("p50_ms", 1),
        shown("p99_ms", 1),
        shown("reviews_per_second", 0),
        f"{_rate_ratio(record, place):.2f}",
        shown("server_cpu_us", 0),
        shown("client_cpu_us", 0),
        *(shown(name, 1) for name in ("rows_per_batch", "queued_ms", "run_ms")),
        str(sum(failures)),
    ]


def _rate_ratio(record: ServingRecord, place: _Place) -> float:
    """Returns reviews per second as a ratio to the best in-process rate of full-length ones."""
    return _ratio(_figures(record, *place, "reviews_per_second"), _figures(record, *_best(record, FULL_LENGTH)))


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
    full = _place(record, int(FULL_LENGTH), 1, _MOST_CLIENTS)
    whole = _median(record, *full, "server_cpu_us")
    rates = _rates(record, FULL_LENGTH)
    rows_per_batch = _median(record, *full, "rows_per_batch")
    size = min(rates, key=lambda size: abs(int(size) - rows_per_batch))
    parts: dict[str, float] = {
        "gRPC: a server without a model": _median(record, *_WITHOUT_MODEL, "server_cpu_us"),
        **{f"{name} the request": us for name, us in record["parts"].items()},
        f"the model: in-process, batches of {size}": 1e6 / rates[size],
    }
    for name, spent in parts.items():
        yield name, spent, whole
    yield "the rest", whole - sum(parts.values()), whole
    yield "all, as measured", whole, whole


def _place(record: ServingRecord, words: int, reviews: int, clients: int) -> _Place:
    """Returns the place of the row of a load."""
    wanted = (words, reviews, clients)
    rows = record["rounds"][0]["server"]
    loads = [(row["words"], row["reviews_per_request"], row["clients"]) for row in rows]
    return "server", loads.index(wanted)


def _targets(record: ServingRecord) -> Iterator[tuple[str, str, str, str]]:
    full = _place(record, int(FULL_LENGTH), 1, _MOST_CLIENTS)
    short = _place(record, int(SHORT), 1, _MOST_CLIENTS)
    least = [
        grpc + 1e6 / rate
        for grpc, rate in zip(
            _figures(record, *_WITHOUT_MODEL, "server_cpu_us"),
            _figures(record, "in_process", FULL_LENGTH, "rates", str(_MOST_CLIENTS)),
            strict=True,
        )
    ]
    name = (
        f"CPU of a request, 64 clients, ratio to gRPC without a model + model in a batch of 64 ({median(least):.0f} us)"
    )
    yield _at_most(name, CPU_RATIO, _ratio(_figures(record, *full, "server_cpu_us"), least))
    best = _median(record, *_best(record, FULL_LENGTH))
    name = f"full-length reviews/s, 64 clients, one each, ratio to the best in-process ({best:.0f})"
    yield _at_least(name, SINGLE_RATE_RATIO, _rate_ratio(record, full))
    name = f"reviews/s of {SHORT} words, 64 clients, one each, ratio to those of full length"
    rates = [_figures(record, *place, "reviews_per_second") for place in (short, full)]
    yield _at_least(name, SHORT_RATE_RATIO, _ratio(*rates))
    for number, row in enumerate(record["rounds"][0]["server"]):
        if row["clients"] == _MOST_CLIENTS and row["reviews_per_request"] > 1:
            name = f"full-length reviews/s, 64 clients, {row['reviews_per_request']} each, ratio to the best in-process"
            yield _at_least(name, RATE_RATIO, _rate_ratio(record, ("server", number)))
    name = f"p50 of a review of {SHORTEST} words, one client, ratio to that of {FULL_LENGTH} words"
    times = [_figures(record, *_place(record, int(words), 1, 1), "p50_ms") for words in (SHORTEST, FULL_LENGTH)]
    yield _at_most(name, SHORT_LATENCY_RATIO, _ratio(*times))
    soak = record["soak"]
    if soak:
        failed = sum(soak["failures"].values())
        name = f"failed requests in {soak['seconds']:g} s, {soak['versions']} versions, {soak['requests']:,} requests"
        yield name, "0", str(failed), _met(failed == 0)


def _at_most(name: str, asked: float, ratio: float) -> tuple[str, str, str, str]:
    return name, f"<= {asked}", f"{ratio:.2f}", _met(ratio <= asked)


def _at_least(name: str, asked: float, ratio: float) -> tuple[str, str, str, str]:
    return name, f">= {asked}", f"{ratio:.2f}", _met(ratio >= asked)


def markdown(record: ServingRecord) -> str:
    """Renders a record for docs/results.md."""
    machine = record["machine"]
    load = record["load"]["average"][0]
    rounds = len(record["rounds"])
    lines = [
        *section(f"Serving, {record['date']}", record["command"]),
        f"- {machine['cpu']}, {machine['cores']} cores; load before the start {load:.2f}.",
        f"- The median of {rounds} rounds, and of the ratios within a round.",
        "",
        *chain.from_iterable(table.markdown() for table in all_tables(record)),
    ]
    return page(lines)


def _met(met: bool) -> str:
    return "met" if met else "NOT MET"

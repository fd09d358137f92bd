"""Renders records of benchmarks as Markdown, for docs/results.md: no figure is typed by hand."""

from collections.abc import Iterator, Sequence
from itertools import chain
from statistics import mean
from typing import Any

from benchmarks import figures
from benchmarks.figures import BenchmarkRecord
from benchmarks.markdown import page, section, versions
from imdb_core import modes
from pipeline.text_table import TextTable


def markdown(records: Sequence[BenchmarkRecord]) -> str:
    """Renders records in their order, and the means of records of the same data with different seeds."""
    return page(chain(*map(_section, records), _means(records)))


def _section(record: BenchmarkRecord) -> Iterator[str]:
    machine, data = record["machine"], record["data"]
    load = " ".join(f"{value:.2f}" for value in record["load"]["average"])
    yield from section(f"{data['name']}, seed {record['seed']}, {record['date'][:10]}", record["command"])
    yield f"- {data['train']:,} training and {data['test']:,} test reviews, seed {record['seed']}."
    gpu = f", {machine['gpu']}" if machine["gpu"] else ", no GPU"
    yield (
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory_gigabytes']:g} GB{gpu}, {machine['system']}; "
        f"load before the start {load}."
    )
    yield f"- Python {machine['python']}, {versions(machine['versions'].items())}; {record['date']}."
    yield from (f"- **{warning}**" for warning in figures.warnings(record))
    yield ""
    yield from figures.quality(record).markdown()
    for preset, run in record["pipelines"].items():
        selection = run["selection"]
        pushed = "pushed" if run["pushed"] else "not pushed"
        yield f"Preset `{preset}` chose {selection['winner']}, {pushed}: {selection['reason']}."
        yield ""
    for table in (figures.targets, figures.cost, figures.nodes, figures.ingest, figures.vocabulary):
        yield from table(record).markdown()


def _means(records: Sequence[BenchmarkRecord]) -> Iterator[str]:
    """Yields the means over the records with the script that share data and presets and differ in their seeds."""
    groups: dict[tuple[Any, ...], list[BenchmarkRecord]] = {}
    for record in records:
        if record["script"]:
            data = record["data"]
            groups.setdefault((data["name"], data["train"], data["test"], *record["pipelines"]), []).append(record)
    for (name, _, _, *presets), group in groups.items():
        if len(group) == 1 or len({record["seed"] for record in group}) < len(group):
            continue
        rows = []
        for mode in modes.MODES:
            script = [record["script"]["modes"][mode]["epochs"][-1]["accuracy"] for record in group]
            rows.append([f"script, {mode}", *(f"{value:.4f}" for value in script), f"{mean(script):.4f}", ""])
            for preset in presets:
                ours = [record["pipelines"][preset]["selection"]["metrics"][mode]["accuracy"] for record in group]
                points = 100 * (mean(ours) - mean(script))
                cells = [*(f"{value:.4f}" for value in ours), f"{mean(ours):.4f}", f"{points:+.2f}"]
                rows.append([f"{preset}, {mode}", *cells])
        columns = ["", *(f"seed {record['seed']}" for record in group), "mean", "points from the script"]
        yield from TextTable(f"{name}: accuracy over {len(group)} seeds", columns, rows).markdown(level=2)

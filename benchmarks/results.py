"""Records of benchmarks as Markdown, for docs/results.md: no figure is typed by hand."""

from collections.abc import Iterator, Sequence
from statistics import mean
from typing import Any

from benchmarks import figures
from benchmarks.figures import Record
from imdb_core import modes
from pipeline.text_table import TextTable


def markdown(records: Sequence[Record]) -> str:
    """Renders records in their order; of several on the same data with different seeds the mean too.

    Args:
        records: from `comparison.run`.
    """
    lines = [line for record in records for line in _section(record)]
    return "\n".join([*lines, *_means(records)]).rstrip("\n") + "\n"


def _section(record: Record) -> Iterator[str]:
    machine, data = record["machine"], record["data"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = " ".join(f"{value:.2f}" for value in record["load"]["average"])
    yield f"## {data['name']}, seed {record['seed']}, {record['date'][:10]}"
    yield ""
    yield from ["```sh", record["command"], "```", ""]
    yield f"- {data['train']:,} training and {data['test']:,} test reviews, seed {record['seed']}."
    gpu = f", {machine['gpu']}" if machine["gpu"] else ", no GPU"
    yield (
        f"- {machine['cpu']}, {machine['cores']} cores, {machine['memory_gigabytes']:g} GB{gpu}, {machine['system']}; "
        f"load before the start {load}."
    )
    yield f"- Python {machine['python']}, {versions}; {record['date']}."
    yield from (f"- **{warning}**" for warning in figures.warnings(record))
    yield ""
    yield from table_lines(figures.quality(record))
    for preset, run in record["pipelines"].items():
        selection = run["selection"]
        pushed = "pushed" if run["pushed"] else "not pushed"
        yield f"Preset `{preset}` chose {selection['winner']}, {pushed}: {selection['reason']}."
        yield ""
    for table in (figures.targets, figures.cost, figures.nodes, figures.ingest, figures.vocabulary):
        yield from table_lines(table(record))


def _means(records: Sequence[Record]) -> Iterator[str]:
    """Means over records that have the script and the same presets, where there are several on the same data."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        if record["script"]:
            data = record["data"]
            groups.setdefault((data["name"], data["train"], data["test"], *record["pipelines"]), []).append(record)
    for (name, _, _, *presets), group in groups.items():
        if len({record["seed"] for record in group}) < len(group) or len(group) < 2:  # noqa: PLR2004 - a mean
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
        yield from table_lines(TextTable(f"{name}: accuracy over {len(group)} seeds", columns, rows), level=2)


def table_lines(table: TextTable, level: int = 3) -> Iterator[str]:
    """Yields a table as lines of Markdown, under a heading of the given level."""
    yield f"{'#' * level} {table.title}"
    yield ""
    yield f"| {' | '.join(table.columns)} |"
    yield f"|{'|'.join(['---', *['---:'] * (len(table.columns) - 1)])}|"
    for row in table.rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""

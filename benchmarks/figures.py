"""Lays the figures of a benchmark's record out as tables, for the terminal and for docs/results.md."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from benchmarks.targets import TARGET_REVIEWS, points_from_script
from imdb_core import features, modes
from pipeline.text_table import TextTable

BenchmarkRecord = Mapping[str, Any]

# If other processes take more than this share of the CPU time, seconds mean little.
_DISTURBED = 0.05


def quality(record: BenchmarkRecord) -> TextTable:
    """Lists accuracy, AUC and log loss on the test split by mode and run."""
    script = record["script"]
    rows = []
    for mode in modes.MODES:
        if script:
            epochs = script["modes"][mode]["epochs"]
            values = [f"{epochs[-1][name]:.4f}" for name in ("accuracy", "auc", "log_loss")]
            course = ", ".join(f"{epoch['accuracy']:.4f}" for epoch in epochs)
            rows.append([f"script, {mode}", *values, "-", course])
        for preset, run in record["pipelines"].items():
            metrics = run["selection"]["metrics"][mode]
            winner = " (winner)" if run["selection"]["winner"] == mode else ""
            values = [f"{metrics[name]:.4f}" for name in ("accuracy", "auc", "log_loss")]
            difference = f"{points_from_script(run, script, mode):+.2f}" if script else "-"
            rows.append([f"{preset}, {mode}{winner}", *values, difference, "-"])
    title = "Quality on the test split (points: accuracy minus that of the script)"
    return TextTable(title, ["", "accuracy", "AUC", "log loss", "points", "by epoch"], rows)


def cost(record: BenchmarkRecord) -> TextTable:
    """Lists the seconds and the memory of each process, and the ratios to the script."""
    script = record["script"]
    runs = ({"script": script} if script else {}) | dict(record["pipelines"])

    def row(title: str, key: str) -> list[str]:
        return [title, *(_number(run["seconds"].get(key), 1) for run in runs.values())]

    def ratio(title: str, key: str) -> list[str]:
        return [title, *(f"{run['seconds'][key] / script['seconds'][key]:.2f}" for run in runs.values())]

    rows = [row("total, s", "total")]
    rows += [ratio("total, ratio to the script", "total")] if script else []
    rows += [row("training, s", "training"), row("everything but training, s", "without_training")]
    rows += [ratio("everything but training, ratio to the script", "without_training")] if script else []
    rows += [
        row("start-up, s", "start_up"),
        row("reading and encoding, s", "read_and_encode"),
        row("scoring, s", "scoring"),
        row("CPU time, s", "cpu"),
        row("CPU time of others meanwhile, s", "cpu_of_others"),
        ["peak memory, GB", *(f"{run['peak_gigabytes']:.2f}" for run in runs.values())],
    ]
    return TextTable("Time and memory", ["", *(name if name == "script" else f"preset {name}" for name in runs)], rows)


def nodes(record: BenchmarkRecord) -> TextTable:
    """Lists the seconds and the peak memory of each node by preset."""
    columns = [""]
    rows: dict[str, list[str]] = {}
    for preset, run in record["pipelines"].items():
        columns += [f"{preset}, s", f"{preset}, peak GB"]
        for node in run["nodes"]:
            cells = rows.setdefault(node["node"], [node["node"]])
            cells += [_number(node["seconds"], 1), _number(node["peak_gigabytes"] or None, 2)]
    return TextTable("Nodes of the pipeline", columns, list(rows.values()))


def targets(record: BenchmarkRecord) -> TextTable:
    """Lists the targets, what was measured, and whether they were met."""
    rows = [
        [
            f"{target['preset']}: {target['target']}",
            target["bound"],
            f"{_number(target['measured'], 4 if not target['unit'] else 2)} {target['unit']}".rstrip(),
            "met" if target["met"] else "NOT MET",
        ]
        for target in record["targets"]
    ]
    return TextTable("Targets", ["", "asked", "measured", ""], rows)


def ingest(record: BenchmarkRecord) -> TextTable:
    """Lists the counts of the ingest by preset."""

    def counts(run: Mapping[str, Any]) -> dict[str, str]:
        report = run["ingest"]
        examples = {split: sum(report["examples"].get(split, {}).values()) for split in features.SPLITS}
        found = {
            "rows read": report["rows_read"],
            **{f"examples in `{split}`": count for split, count in examples.items()},
            "rows rejected": sum(report["rejected"].values()),
            "duplicates in the training data": report["duplicates"]["training"],
            "duplicates in `test`": report["duplicates"][features.TEST],
            "texts in both (leaks)": report["leaks"],
            "rows dropped": sum(report["dropped"].values()),
        }
        return {name: f"{count:,}" for name, count in found.items()}

    return _by_preset("Ingest", record, counts)


def vocabulary(record: BenchmarkRecord) -> TextTable:
    """Lists the checks of the vocabulary by preset."""

    def found(run: Mapping[str, Any]) -> dict[str, str]:
        checks = run["vocabulary"]
        same = {None: "-", True: "yes", False: f"no, {checks['shared_with_script'] or 0:,} of its words"}
        return {
            "token ids, the four special ones included": f"{checks['words'] + features.FIRST_WORD_ID:,}",
            "distinct words": f"{checks['distinct']:,}",
            "most frequent words": " ".join(checks["first"]),
            "test tokens out of vocabulary": f"{100 * checks['unknown_share']:.2f}%",
            "equal to the script's, order included": same[checks["same_as_script"]],
        }

    return _by_preset("Vocabulary", record, found)


def warnings(record: BenchmarkRecord) -> Iterator[str]:
    """Yields the reasons why the figures may be misleading."""
    load = record["load"]
    cores = record["machine"]["cores"]
    if load["busy"]:
        yield (
            f"The machine was busy before the start (load {load['average'][0]:.2f} on {cores} cores): "
            "only ratios within this run mean anything."
        )
    runs = ({"script": record["script"]} if record.get("script") else {}) | dict(record.get("pipelines", {}))
    for name, run in runs.items():
        share = run["seconds"]["cpu_of_others"] / (run["seconds"]["total"] * cores)
        if share > _DISTURBED:
            yield f"Other processes took {100 * share:.0f}% of the CPU time while `{name}` ran."
    count = record["data"]["train"] + record["data"]["test"] if "data" in record else TARGET_REVIEWS
    if count != TARGET_REVIEWS:
        yield f"The targets are meant for {TARGET_REVIEWS:,} reviews; these are {count:,}."


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _by_preset(title: str, record: BenchmarkRecord, cells: Callable[[Mapping[str, Any]], dict[str, str]]) -> TextTable:
    """Lays out the named cells of each pipeline's run, with a column for each preset."""
    runs = {preset: cells(run) for preset, run in record["pipelines"].items()}
    names = dict.fromkeys(chain.from_iterable(runs.values()))
    columns = ["", *(f"preset {preset}" for preset in runs)]
    return TextTable(title, columns, [[name, *(run[name] for run in runs.values())] for name in names])

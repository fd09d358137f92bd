"""Renders the record of a study as tables and sentences, for the terminal and for Markdown."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console

from components.evaluator import metrics
from imdb_core import modes
from pipeline.study.verdicts import SCALES, MetricScale
from pipeline.text_table import TextTable

StudyRecord = Mapping[str, Any]


def spread(record: StudyRecord) -> TextTable:
    """Lists each metric on the test split by preset and mode: mean, sample standard deviation, range of accuracy."""
    rows = []
    for preset, outcome in record["presets"].items():
        for mode in modes.MODES:
            of_mode = outcome["spread"][mode]
            accuracy = of_mode[metrics.ACCURACY]
            rows.append(
                [
                    f"{preset}, {mode}",
                    _mean(accuracy),
                    f"{accuracy['least']:.4f} to {accuracy['most']:.4f}",
                    _mean(of_mode[metrics.AUC]),
                    _mean(of_mode[metrics.LOG_LOSS]),
                    f"{mean(row['seconds'] for row in outcome['trainings'] if row['mode'] == mode):.0f}",
                ]
            )
    count = len(record["seeds"])
    title = f"On {record['test_reviews']:,} test reviews, {count} seed{'s' if count > 1 else ''}: mean ± deviation"
    return TextTable(title, ["", "accuracy", "from, to", "AUC", "log loss", "s a training"], rows)


def differences(record: StudyRecord) -> TextTable:
    """Lists each difference with the wider of its two intervals, starred if that excludes 0."""
    rows = [
        [title, *(_difference(found[name], scale) for name, scale in SCALES.items())]
        for title, found in _comparisons(record)
    ]
    title = f"Differences and {100 * record['confidence']:g}% intervals (* where 0 is outside)"
    return TextTable(title, ["", "accuracy, points", "AUC, points", "log loss"], rows)


def verdicts(record: StudyRecord) -> Iterator[str]:
    """Yields one sentence for each comparison of accuracies."""
    for title, found in _comparisons(record):
        yield f"{title.split(', ')[0]}: {found[metrics.ACCURACY]['verdict']}"


def report(record: StudyRecord, file: Path, console: Console) -> None:
    """Prints the outcome of a study, the result of `run_study`, and the path of the file that holds it."""
    table = spread(record)
    # 80 columns hold these; the record holds the others too.
    console.print(table.drawn([table.columns.index(column) for column in ("", "accuracy", "AUC", "log loss")]))
    for sentence, (_, _, auc, loss) in zip(verdicts(record), differences(record).rows, strict=True):
        console.print(f"{sentence}.", soft_wrap=True)
        console.print(f"  AUC, points: {auc}; log loss: {loss}", soft_wrap=True)
    trained = [
        node for outcome in record["presets"].values() for node in outcome["executed"] if node.startswith("Trainer.")
    ]
    all_trainings = sum(len(outcome["trainings"]) for outcome in record["presets"].values())
    console.print(
        f"{record['seconds']:.0f} s, {len(trained)} of {all_trainings} trainings executed, the others cached. "
        f"Record: {file}",
        soft_wrap=True,
    )


def _comparisons(record: StudyRecord) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for preset, outcome in record["presets"].items():
        yield f"{preset}, {modes.VECTOR} minus {modes.SCALAR}", outcome["modes"]
    for mode, found in record["between"].items():
        yield f"{mode}, {' minus '.join(record['presets'])}", found


def _difference(found: Mapping[str, Any], scale: MetricScale) -> str:
    value = scale.signed(found["difference"])
    if "shown" not in found:
        return value
    bounds = (found["seed_interval"], found["crossed_interval"])
    low, high = max(bounds, key=lambda pair: pair[1] - pair[0])
    return f"{value} ({scale.signed(low)} to {scale.signed(high)}){' *' if found['shown'] else ''}"


def _mean(of_metric: Mapping[str, Any]) -> str:
    deviation = "" if of_metric["deviation"] is None else f" ± {of_metric['deviation']:.4f}"
    return f"{of_metric['mean']:.4f}{deviation}"

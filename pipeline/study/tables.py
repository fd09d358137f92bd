"""The record of a study as tables and sentences of text, the same for the terminal and for Markdown."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import rich.table
from rich.console import Console

from components.evaluator import metrics
from imdb_core import modes
from pipeline.history.table import Table
from pipeline.study.verdicts import SCALES, Scale

Record = Mapping[str, Any]


def spread(record: Record) -> Table:
    """Each metric on the test split, by preset and mode: mean, sample standard deviation, and the accuracy's range."""
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
    return Table(title, ["", "accuracy", "from, to", "AUC", "log loss", "s a training"], rows)


def differences(record: Record) -> Table:
    """Each difference with its interval, the wider of both; a star where it leaves 0 out."""
    rows = [
        [title, *(_difference(found[name], scale) for name, scale in SCALES.items())]
        for title, found in _comparisons(record)
    ]
    title = f"Differences and {100 * record['confidence']:g}% intervals (* where 0 is outside)"
    return Table(title, ["", "accuracy, points", "AUC, points", "log loss"], rows)


def _difference(found: Mapping[str, Any], scale: Scale) -> str:
    value = f"{scale.factor * found['difference']:+.{scale.digits}f}"
    if "shown" not in found:
        return value
    bounds = (found["seed_interval"], found["crossed_interval"])
    low, high = (scale.factor * bound for bound in max(bounds, key=lambda pair: pair[1] - pair[0]))
    return f"{value} ({low:+.{scale.digits}f} to {high:+.{scale.digits}f}){' *' if found['shown'] else ''}"


def verdicts(record: Record) -> Iterator[str]:
    """One sentence for each comparison of accuracies."""
    for title, found in _comparisons(record):
        yield f"{title.split(', ')[0]}: {found[metrics.ACCURACY]['verdict']}"


def report(record: Record, file: Path, console: Console) -> None:
    """Prints a study.

    Args:
        record: from `run_study`.
        file: where it was written.
        console: to print to.
    """
    title, columns, rows = spread(record)
    drawn = rich.table.Table(title=title, title_justify="left")
    # What 80 columns hold; the rest is in the record.
    shown = [columns.index(column) for column in ("", "accuracy", "AUC", "log loss")]
    for number in shown:
        drawn.add_column(columns[number], justify="right" if number else "left")
    for row in rows:
        drawn.add_row(*(row[number] for number in shown))
    console.print(drawn)
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


def _comparisons(record: Record) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for preset, outcome in record["presets"].items():
        yield f"{preset}, {modes.VECTOR} minus {modes.SCALAR}", outcome["modes"]
    for mode, found in record["between"].items():
        yield f"{mode}, {' minus '.join(record['presets'])}", found


def _mean(of_metric: Mapping[str, Any]) -> str:
    deviation = "" if of_metric["deviation"] is None else f" ± {of_metric['deviation']:.4f}"
    return f"{of_metric['mean']:.4f}{deviation}"

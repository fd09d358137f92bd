"""Renders records of `imdb-attention compare` as Markdown, for docs/results.md: no figure is typed by hand."""

from collections.abc import Iterator

from benchmarks.markdown import page, section, versions
from components.evaluator import metrics
from imdb_core import modes
from pipeline.study import tables
from pipeline.study.tables import StudyRecord
from pipeline.text_table import TextTable


def markdown(record: StudyRecord) -> str:
    """Renders a study, the result of `pipeline.study.run.run_study`."""
    return page(_lines(record))


def _lines(record: StudyRecord) -> Iterator[str]:
    seeds = record["seeds"]
    title = f"Study of {len(seeds)} seed{'s' if len(seeds) > 1 else ''}, {record['date'][:10]}"
    yield from section(title, record["command"])
    yield f"- {record['test_reviews']:,} test reviews, seeds {', '.join(map(str, seeds))}."
    yield f"- Python {record['python']}, {versions(record['versions'].items())}; {record['date']}."
    yield ""
    yield from tables.spread(record).markdown()
    yield from tables.differences(record).markdown()
    yield from (f"- {sentence}." for sentence in tables.verdicts(record))
    yield ""
    yield from _trainings(record).markdown()


def _trainings(record: StudyRecord) -> TextTable:
    """Lists the accuracy of each training, and how the modes differ for each seed."""
    rows = []
    for preset, outcome in record["presets"].items():
        for seed in record["seeds"]:
            accuracy = {
                row["mode"]: f"{row[metrics.ACCURACY]:.4f}" for row in outcome["trainings"] if row["seed"] == seed
            }
            pair = outcome["pairs"][str(seed)]
            rows.append(
                [
                    f"{preset}, seed {seed}",
                    *(accuracy[mode] for mode in modes.MODES),
                    f"{100 * pair['accuracy_difference']:+.2f}",
                    f"{100 * pair['flip_rate']:.1f}%",
                    f"{pair['mcnemar_p']:.2g}",
                ]
            )
    columns = ["", *modes.MODES, "points, vector minus scalar", "judged differently", "McNemar p"]
    return TextTable("Accuracy of each training", columns, rows)

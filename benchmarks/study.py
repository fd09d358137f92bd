"""Records of `imdb-attention compare` as Markdown, for docs/results.md: no figure is typed by hand."""

from collections.abc import Iterator

from benchmarks.results import table_lines
from components.evaluator import metrics
from imdb_core import modes
from pipeline.text_table import TextTable
from pipeline.study import tables
from pipeline.study.tables import StudyRecord


def markdown(record: StudyRecord) -> str:
    """Renders a study.

    Args:
        record: from `pipeline.study.run.run_study`.
    """
    return "\n".join(_lines(record)).rstrip("\n") + "\n"


def _lines(record: StudyRecord) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    seeds = record["seeds"]
    yield f"## Study of {len(seeds)} seed{'s' if len(seeds) > 1 else ''}, {record['date'][:10]}"
    yield ""
    yield from ["```sh", record["command"], "```", ""]
    yield f"- {record['test_reviews']:,} test reviews, seeds {', '.join(map(str, seeds))}."
    yield f"- Python {record['python']}, {versions}; {record['date']}."
    yield ""
    yield from table_lines(tables.spread(record))
    yield from table_lines(tables.differences(record))
    yield from (f"- {sentence}." for sentence in tables.verdicts(record))
    yield ""
    yield from table_lines(_trainings(record))


def _trainings(record: StudyRecord) -> TextTable:
    """The accuracy of each training, and in how much the modes of a seed differ."""
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

"""The report of an ingest: its content, the main counts as artifact properties, and the checks that it must pass."""

import json
from collections import Counter
from typing import Any

from components.example_gen.splits import split_names
from components.example_gen.writing import CountKey, write_text
from imdb_core import features, file_names
from imdb_core.errors import BadDataError, SourceError
from imdb_core.settings import DataSettings

Report = dict[str, Any]


def check_readable(counts: Counter[CountKey]) -> None:
    """Raises a SourceError if a file of the source cannot be read."""
    unreadable = sorted(key[1] for key in counts if key[0] == "unreadable")
    if unreadable:
        others = len(unreadable) - 1
        raise SourceError(unreadable[0] + (f" (and {others} more files cannot be read)" if others else ""))


def summarize(counts: Counter[CountKey], data: DataSettings, fingerprint: str) -> Report:
    """Builds the report from the counts of `writing.settle` and `writing.write_dead_letter`, summed over all shards.

    Returns:
        A JSON object: `source`, its `fingerprint`, `rows_read`, `examples` by split and sentiment (as written),
        `rejected` by reason, `duplicates` by split and over all training data, `leaks` (texts that occur both in the
        training data and in `test`), `dropped` by split.
    """
    splits = split_names(data.eval_fraction)
    return {
        "source": data.source,
        "fingerprint": fingerprint,
        "rows_read": counts["read",],
        "examples": {
            split: {sentiment: counts["examples", split, sentiment] for sentiment in features.SENTIMENTS}
            for split in splits
        },
        "rejected": {key[1]: count for key, count in sorted(counts.items()) if key[0] == "rejected"},
        "duplicates": {split: counts["duplicates", split] for split in (*splits, "training")},
        "leaks": counts["leaks",],
        "dropped": {split: counts["dropped", split] for split in splits},
    }


def properties(report: Report) -> dict[str, int]:
    """Returns the main counts, which become custom properties of the Examples artifact."""
    return {
        "rows_read": report["rows_read"],
        "rows_rejected": sum(report["rejected"].values()),
        "leaks": report["leaks"],
        "dropped": sum(report["dropped"].values()),
        "duplicates": report["duplicates"]["training"] + report["duplicates"][features.TEST],
        **{f"examples_{split}": sum(by_label.values()) for split, by_label in report["examples"].items()},
    }


def too_many_rejected(report: Report, data: DataSettings) -> bool:
    """Checks whether the share of unusable rows exceeds `data.max_bad_fraction`."""
    return bool(sum(report["rejected"].values()) > data.max_bad_fraction * report["rows_read"])


def rejection_error(report: Report, data: DataSettings, dead_letter: str) -> BadDataError:
    """Builds the error that states how many rows are unusable, why, and which file lists them."""
    rejected = sum(report["rejected"].values())
    reasons = ", ".join(f"{reason} {count}" for reason, count in report["rejected"].items())
    return BadDataError(
        f"data.source = {data.source!r}: {rejected} of {report['rows_read']} rows cannot be used ({reasons}), more "
        f"than data.max_bad_fraction = {data.max_bad_fraction} allows; {dead_letter} lists them; correct them or raise "
        "the limit"
    )


def check_splits(report: Report, data: DataSettings) -> None:
    """Raises a BadDataError if a split has no rows."""
    remedies = {
        features.TRAIN: "add training reviews",
        features.EVAL: "raise data.eval_fraction, add reviews, or set data.eval_fraction = 0 for no eval split",
        features.TEST: "add reviews of split 'test', or remove the split column, so that data.test_fraction applies",
    }
    empty = [split for split, by_label in report["examples"].items() if not sum(by_label.values())]
    if empty:
        raise BadDataError(
            f"data.source = {data.source!r}: {report['rows_read']} rows were read, but no rows are left for "
            f"{' and '.join(empty)}; " + "; ".join(remedies[split] for split in empty)
        )


def write_report(report: Report, uri: str) -> None:
    """Writes the report into the artifact at `uri`."""
    write_text(f"{uri}/{file_names.REPORT}", json.dumps(report, indent=2, ensure_ascii=False) + "\n")

"""The report of an ingest: its content, the main counts as artifact properties, and the checks that it must pass."""

import json
from collections import Counter
from typing import Any

from components.example_gen.sources.locate import Source
from components.example_gen.splits import split_names
from components.example_gen.writing import CountKey, write_text
from imdb_core import features, file_names
from imdb_core.errors import BadDataError, SourceError
from imdb_core.excerpts import excerpt
from imdb_core.settings import DataSettings

Report = dict[str, Any]


def check_readable(counts: Counter[CountKey]) -> None:
    """Raises a SourceError if a file of the source cannot be read."""
    unreadable = sorted(key[1] for key in counts if key[0] == "unreadable")
    if unreadable:
        others = len(unreadable) - 1
        raise SourceError(unreadable[0] + (f" (and {others} more files cannot be read)" if others else ""))


def summarize(counts: Counter[CountKey], data: DataSettings, source: Source) -> Report:
    """Builds the report from the counts of `writing.settle`, `writing.write_dead_letter` and `beam_pipeline.read_unit`.

    Returns:
        A JSON object: `source`, its `fingerprint`, `rows_read`, `examples` by split and sentiment (as written),
        `rejected` by reason, `duplicates` by split and over all training data, `leaks` (texts that occur both in the
        training data and in `test`), `dropped` by split, `contradictions` (texts that occur with both labels) with one
        example, `ignored` rows by label or split, `unusable` ratings and splits, `unknown_labels`, `unlabelled_rows`,
        `declared` splits, `found` (what was recognised in each table, and whether its rows have splits) and `left_out`
        (files by reason).
    """
    splits = split_names(data.eval_fraction)

    def by_name(kind: str) -> dict[str, int]:
        return {key[1]: count for key, count in sorted(counts.items()) if key[0] == kind and count}

    left_out: dict[str, dict[str, int]] = {}
    for key, count in sorted(counts.items()):
        if key[0] == "left_out":
            left_out.setdefault(key[1], {})[key[2]] = count
    for one in source.left_out:
        left_out.setdefault(one.reason, {})[one.source] = one.files
    contradictions = by_name("contradictions")
    return {
        "source": data.source,
        "fingerprint": source.fingerprint,
        "rows_read": counts["read",],
        "examples": {
            split: {sentiment: counts["examples", split, sentiment] for sentiment in features.SENTIMENTS}
            for split in splits
        },
        "rejected": by_name("rejected"),
        "duplicates": {split: counts["duplicates", split] for split in (*splits, "training")},
        "leaks": counts["leaks",],
        "dropped": {split: counts["dropped", split] for split in splits},
        "contradictions": sum(contradictions.values()),
        "contradiction": next(iter(contradictions), None),
        "ignored": by_name("ignored"),
        "unusable": by_name("unusable"),
        "unknown_labels": by_name("unknown"),
        "unlabelled_rows": counts["unlabelled_rows",],
        "declared": [key[1] for key in sorted(counts) if key[0] == "declared" and key[1]],
        "found": [{"file": key[1], "format": key[2], "splits": key[3]} for key in sorted(counts) if key[0] == "found"],
        "left_out": left_out,
    }


def properties(report: Report) -> dict[str, int]:
    """Returns the main counts, which become custom properties of the Examples artifact."""
    return {
        "rows_read": report["rows_read"],
        "rows_rejected": sum(report["rejected"].values()),
        "leaks": report["leaks"],
        "dropped": sum(report["dropped"].values()),
        "duplicates": report["duplicates"]["training"] + report["duplicates"][features.TEST],
        "contradictions": report["contradictions"],
        **{f"examples_{split}": sum(by_label.values()) for split, by_label in report["examples"].items()},
    }


def too_many_rejected(report: Report, data: DataSettings) -> bool:
    """Checks whether the share of unusable rows exceeds `data.max_bad_fraction`."""
    return bool(sum(report["rejected"].values()) > data.max_bad_fraction * report["rows_read"])


def rejection_error(report: Report, data: DataSettings, dead_letter: str) -> BadDataError:
    """Builds the error that states how many rows are unusable, why, and which file lists them."""
    rejected = sum(report["rejected"].values())
    reasons = ", ".join(f"{reason} {count}" for reason, count in report["rejected"].items())
    advice = "correct them or raise the limit"
    if report["rejected"].get("unknown_label"):
        labels = ", ".join(f"{label!r} ({count})" for label, count in report["unknown_labels"].items())
        advice = (
            f"the labels that are not known are {labels}: name them in data.positive_labels, data.negative_labels or "
            f"data.ignored_labels, or {advice}"
        )
    elif report["rejected"].get("bad_utf8"):
        advice = f"if the files are not UTF-8, set data.encoding, for instance to cp1252 or latin-1; or {advice}"
    return BadDataError(
        f"data.source = {data.source!r}: {rejected} of {report['rows_read']} rows cannot be used ({reasons}), more "
        f"than data.max_bad_fraction = {data.max_bad_fraction} allows; {dead_letter} lists them; {advice}"
    )


def check_parts(report: Report, data: DataSettings) -> None:
    """Raises a BadDataError if some files have splits and others none: those would be drawn anew."""
    with_splits = [one["file"] for one in report["found"] if one["splits"]]
    without = [one["file"] for one in report["found"] if not one["splits"]]
    if with_splits and without:
        raise BadDataError(
            f"data.source = {data.source!r}: {excerpt(with_splits[0], 500)} has a split and {excerpt(without[0], 500)} "
            "has none; put it into a folder such as train/, or name its split by a word of its path, such as "
            'data.splits = {word = "train"}, or "none" to leave it out'
        )


def check_splits(report: Report, data: DataSettings) -> None:
    """Raises a BadDataError if a split has too few reviews of one class to train on or to compare models with."""
    remedies = {
        features.TRAIN: "add training reviews",
        features.EVAL: "raise data.eval_fraction, add reviews, or set data.eval_fraction = 0 for no eval split",
        features.TEST: "add reviews of split 'test', or remove the split column, so that data.test_fraction applies",
    }
    # What is drawn for `eval` only stops the training, for which one class is enough.
    needs_both = {features.TRAIN, features.TEST, *report["declared"]}
    few = {
        split: by_label
        for split, by_label in report["examples"].items()
        if not sum(by_label.values()) or (split in needs_both and min(by_label.values()) < data.min_per_class)
    }
    empty = [split for split, by_label in few.items() if not sum(by_label.values())]
    if empty:
        raise BadDataError(
            f"data.source = {data.source!r}: {report['rows_read']} rows were read, but no rows are left for "
            f"{' and '.join(empty)}{_aside(report)}; " + "; ".join(remedies[split] for split in empty)
        )
    if few:
        counted = "; ".join(
            f"{split} has {' and '.join(f'{count} {sentiment}' for sentiment, count in by_label.items())} reviews"
            for split, by_label in few.items()
        )
        raise BadDataError(
            f"data.source = {data.source!r}: {counted}; every split needs at least data.min_per_class = "
            f"{data.min_per_class} of each; {'; '.join(remedies[split] for split in few)}, or check "
            "data.positive_labels and data.negative_labels"
        )


def check_contradictions(report: Report, data: DataSettings) -> None:
    """Raises a BadDataError if texts occur with both labels and `data.contradictions` is `stop`."""
    if data.contradictions == "stop" and report["contradictions"]:
        raise BadDataError(
            f"data.source = {data.source!r}: {report['contradictions']} texts are positive and negative, the first in "
            f"{excerpt(report['contradiction'], 500)}; correct them, or set data.contradictions = 'drop' or 'keep'"
        )


def _aside(report: Report) -> str:
    """Says which files were left out, for an error about missing rows."""
    parts = [f"{sum(files.values())} files left out ({reason})" for reason, files in report["left_out"].items()]
    parts += [f"{count} rows of {what} ignored" for what, count in report["ignored"].items()]
    return f" ({', '.join(parts)})" if parts else ""


def write_report(report: Report, uri: str) -> None:
    """Writes the report into the artifact at `uri`."""
    write_text(f"{uri}/{file_names.REPORT}", json.dumps(report, indent=2, ensure_ascii=False) + "\n")

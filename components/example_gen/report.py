"""What an ingest did: the report beside the examples, the properties of their artifact, and whether it may stand."""

from collections import Counter
from typing import Any

from components.example_gen.writing import Count
from imdb_core import features
from imdb_core.errors import BadDataError
from imdb_core.settings import DataSettings

Report = dict[str, Any]


def split_names(data: DataSettings) -> list[str]:
    """The splits of the artifact: `eval` only where something is held out."""
    return [split for split in features.SPLITS if split != features.EVAL or data.eval_fraction > 0]


def summarize(counts: Counter[Count], data: DataSettings, fingerprint: str) -> Report:
    """Builds the report.

    Args:
        counts: summed over all shards, see `writing.settle` and `writing.write_dead_letter`.
        data: the settings.
        fingerprint: of the source.

    Returns:
        A JSON object: `source`, `fingerprint`, `rows_read`, `examples` by split and sentiment (as written),
        `rejected` by reason, `duplicates` by split and over all training data, `leaks` (texts that stand both in the
        training data and in `test`), `dropped` by split.
    """
    rejected = {key[1]: count for key, count in sorted(counts.items()) if key[0] == "rejected"}
    return {
        "source": data.source,
        "fingerprint": fingerprint,
        "rows_read": counts["read",],
        "examples": {
            split: {sentiment: counts["examples", split, sentiment] for sentiment in features.SENTIMENTS}
            for split in split_names(data)
        },
        "rejected": rejected,
        "duplicates": {split: counts["duplicates", split] for split in (*split_names(data), "training")},
        "leaks": counts["leaks",],
        "dropped": {split: counts["dropped", split] for split in split_names(data)},
    }


def properties(report: Report) -> dict[str, int]:
    """The main counts, as custom properties of the Examples artifact."""
    return {
        "rows_read": report["rows_read"],
        "rows_rejected": sum(report["rejected"].values()),
        "leaks": report["leaks"],
        "dropped": sum(report["dropped"].values()),
        "duplicates": report["duplicates"]["training"] + report["duplicates"][features.TEST],
        **{f"examples_{split}": sum(by_label.values()) for split, by_label in report["examples"].items()},
    }


def too_many_rejected(report: Report, data: DataSettings) -> bool:
    """Whether the share of unusable rows is above `data.max_bad_fraction`."""
    return bool(sum(report["rejected"].values()) > data.max_bad_fraction * report["rows_read"])


def rejection_error(report: Report, data: DataSettings, dead_letter: str) -> BadDataError:
    """Says how many rows are unusable, why, and where they are listed."""
    rejected = sum(report["rejected"].values())
    reasons = ", ".join(f"{reason} {count}" for reason, count in report["rejected"].items())
    return BadDataError(
        f"data.source = {data.source!r}: {rejected} of {report['rows_read']} rows cannot be used ({reasons}), more "
        f"than data.max_bad_fraction = {data.max_bad_fraction} allows; they are listed in {dead_letter}; mend them or "
        "raise the limit"
    )


def check_splits(report: Report, data: DataSettings) -> None:
    """Makes sure that every split has rows.

    Raises:
        BadDataError: one has not.
    """
    remedies = {
        features.TRAIN: "give training reviews",
        features.EVAL: "raise data.eval_fraction, give more reviews, or set data.eval_fraction = 0 to hold none out",
        features.TEST: "give reviews of split 'test', or a source without a split column, to divide by "
        "data.test_fraction",
    }
    empty = [split for split, by_label in report["examples"].items() if not sum(by_label.values())]
    if empty:
        raise BadDataError(
            f"data.source = {data.source!r}: {report['rows_read']} rows were read and none is left for "
            f"{' and '.join(empty)}; " + "; ".join(remedies[split] for split in empty)
        )

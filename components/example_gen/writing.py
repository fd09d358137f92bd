"""Writes the files of an Examples artifact.

All rows of a shard are sorted before they are written, so files depend on the rows alone, not on the workers or their
reading order. Equal texts share a shard, so duplicates and leaks are found shard by shard.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import tensorflow as tf
from tfx.dsl.io import fileio

from components.artifacts import GZIP
from components.example_gen.encoding import encode
from components.example_gen.sources.rows import ValidRow
from components.example_gen.splits import DRAWN, assign_shard, assign_split, content_hash
from imdb_core import features
from imdb_core.files import replacing
from imdb_core.reviews.rows import RejectedRow
from imdb_core.settings import Contradictions, DataSettings

# Counts are keyed by what they count: ("examples", split, sentiment), ("rejected", reason), ...
CountKey = tuple[str, ...]

# Deduplication keeps the copy of the earliest split here: no tested text may have been trained on.
_PRECEDENCE: Final = {features.TEST: 0, features.EVAL: 1, features.TRAIN: 2}


class KeyedExample(NamedTuple):
    """A serialized tf.Example after its sort key; the order of these tuples is the order in files.

    `digest` is the content hash of the text, `label` is 0 or 1.
    """

    split: str
    digest: bytes
    id: str
    label: int
    example: bytes


def keyed(row: ValidRow, data: DataSettings) -> tuple[int, KeyedExample]:
    """Encodes a row and assigns its split; returns the number of its shard, and the example."""
    digest = content_hash(row.utf8)
    split = assign_split(digest, row.split, data.eval_fraction, data.test_fraction)
    return assign_shard(digest, data.shards), KeyedExample(split, digest, row.id, row.label, encode(row))


def settle(
    rows: Iterable[KeyedExample], dedupe: bool, contradictions: Contradictions = "keep"
) -> tuple[list[KeyedExample], Counter[CountKey]]:
    """Sorts the rows of one shard and counts them.

    A duplicate is a copy of a text beyond the first; `training` counts duplicates over `train` and `eval` together.
    A leak is a distinct text that occurs both in `train` or `eval` and in `test`. A contradiction is a distinct text
    that occurs with both labels.

    Args:
        rows: All rows of the shard.
        dedupe: Whether to keep only one copy of each text, from `test` before `eval` before `train`, then by id.
        contradictions: Whether to `drop` all rows of such texts.

    Returns:
        The rows to write, sorted, and the counts `("read",)`, `("examples", split, sentiment)`,
        `("duplicates", split or "training")`, `("leaks",)`, `("dropped", split)` and `("contradictions", IDS)`, where
        IDS are those of two rows.
    """
    ordered = sorted(rows)
    counts: Counter[CountKey] = Counter({("read",): len(ordered)})
    contradicting = _contradicting(ordered)
    for pair in contradicting.values():
        counts["contradictions", " and ".join(sorted(row.id for row in pair))] += 1
    if contradictions == "drop":
        counts.update(("dropped", row.split) for row in ordered if row.digest in contradicting)
        ordered = [row for row in ordered if row.digest not in contradicting]
    digests = {split: [row.digest for row in ordered if row.split == split] for split in features.SPLITS}
    training = digests[features.TRAIN] + digests[features.EVAL]
    counts["leaks",] = len(set(training) & set(digests[features.TEST]))
    for name, found in {**digests, "training": training}.items():
        counts["duplicates", name] = len(found) - len(set(found))
    if dedupe:
        kept: dict[bytes, KeyedExample] = {}
        for row in sorted(ordered, key=lambda row: (_PRECEDENCE[row.split], row)):
            if row is not kept.setdefault(row.digest, row):
                counts["dropped", row.split] += 1
        ordered = sorted(kept.values())
    counts.update(("examples", row.split, features.SENTIMENTS[row.label]) for row in ordered)
    return ordered, counts


def _contradicting(rows: Iterable[KeyedExample]) -> dict[bytes, tuple[KeyedExample, KeyedExample]]:
    """Returns two rows with different labels for the digest of each text that has such rows."""
    first: dict[bytes, KeyedExample] = {}
    found: dict[bytes, tuple[KeyedExample, KeyedExample]] = {}
    for row in rows:
        other = first.setdefault(row.digest, row)
        if other.label != row.label:
            found.setdefault(row.digest, (other, row))
    return found


def write_shard(
    rows: Iterable[KeyedExample], shard: int, folders: Mapping[str, str], data: DataSettings, *, declared_eval: bool
) -> Counter[CountKey]:
    """Writes one shard of every split, and returns the counts of `settle`.

    Args:
        rows: All rows of the shard, in any order.
        shard: 0-based number of the shard.
        folders: Folder of each split. A split without rows in this shard gets an empty file.
        data: Settings: the number of shards, and whether to drop duplicates.
        declared_eval: Whether the source has a split `eval`, so that what was drawn for it stays in `train`.
    """
    drawn = features.TRAIN if declared_eval else features.EVAL
    placed = [row._replace(split=drawn) if row.split == DRAWN else row for row in rows]
    ordered, counts = settle(placed, data.dedupe, data.contradictions)
    for split, folder in folders.items():
        path = f"{folder}/data_tfrecord-{shard:05d}-of-{data.shards:05d}.gz"
        with replacing(path, fileio) as partial, tf.io.TFRecordWriter(partial, GZIP) as writer:
            for row in ordered:
                if row.split == split:
                    writer.write(row.example)
    return counts


def write_dead_letter(rows: Iterable[RejectedRow], path: str) -> Counter[CountKey]:
    """Writes rejected rows as JSON lines, sorted by source and position; counts `("read",)`, `("rejected", reason)`."""
    ordered = sorted(rows, key=lambda row: (row.source, isinstance(row.position, str), row.position, row))
    write_text(path, "".join(json.dumps(row._asdict(), ensure_ascii=False) + "\n" for row in ordered))
    return Counter({("read",): len(ordered)}) + Counter(("rejected", row.reason) for row in ordered)


def write_text(path: str, text: str) -> None:
    """Writes a text file completely or not at all, on any file system that TFX supports."""
    with replacing(path, fileio) as partial, fileio.open(partial, "wb") as file:
        file.write(text.encode(errors="backslashreplace"))

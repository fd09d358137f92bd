"""From checked rows to the files of an Examples artifact.

All rows of a shard are sorted before they are written, so files depend on the rows alone, not on the workers or on the
order in which they read. Equal texts share a shard, so duplicates and leaks are found shard by shard.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import tensorflow as tf
from tfx.dsl.io import fileio

from components.example_gen.encoding import encode
from components.example_gen.sources.rows import Rejected, Row
from components.example_gen.splits import assign_shard, assign_split, content_hash
from imdb_core import features
from imdb_core.settings import DataSettings

# Instead of a shard's number: the group of rejected rows.
REJECTED: Final = -1

# Counts are keyed by what is counted: ("examples", split, sentiment), ("rejected", reason), ...
Count = tuple[str, ...]

# A copy in an earlier one is kept when duplicates are dropped: what is tested must not have been trained on.
_PRECEDENCE: Final = {features.TEST: 0, features.EVAL: 1, features.TRAIN: 2}

_GZIP_LEVEL: Final = 1


class Keyed(NamedTuple):
    """An example with what it is sorted by; its own order is the order in files.

    Attributes:
        split: where it goes.
        digest: content hash of its text.
        id: of the review.
        label: 0 or 1.
        example: serialized tf.Example.
    """

    split: str
    digest: bytes
    id: str
    label: int
    example: bytes


def keyed(row: Row, data: DataSettings) -> tuple[int, Keyed]:
    """Encodes a row and assigns its split.

    Returns:
        The number of its shard, and the example.
    """
    digest = content_hash(row.utf8)
    split = assign_split(digest, row.split, data.eval_fraction, data.test_fraction)
    return assign_shard(digest, data.shards), Keyed(split, digest, row.id, row.label, encode(row))


def settle(rows: Iterable[Keyed], dedupe: bool) -> tuple[list[Keyed], Counter[Count]]:
    """Puts the rows of one shard into their final order, and counts.

    A duplicate is a copy of a text beyond the first; those of `training` are counted over `train` and `eval` together.
    A leak is a distinct text that stands both in `train` or `eval` and in `test`.

    Args:
        rows: all rows of the shard.
        dedupe: drop every copy of a text but one, kept from `test` before `eval` before `train`, then by id.

    Returns:
        The rows to write, sorted, and the counts `("read",)`, `("examples", split, sentiment)`,
        `("duplicates", split or "training")`, `("leaks",)` and `("dropped", split)`.
    """
    ordered = sorted(rows)
    counts: Counter[Count] = Counter({("read",): len(ordered)})
    digests = {split: [row.digest for row in ordered if row.split == split] for split in features.SPLITS}
    for split, found in digests.items():
        counts["duplicates", split] = len(found) - len(set(found))
    training = digests[features.TRAIN] + digests[features.EVAL]
    counts["duplicates", "training"] = len(training) - len(set(training))
    counts["leaks",] = len(set(training) & set(digests[features.TEST]))
    if dedupe:
        kept: dict[bytes, Keyed] = {}
        for row in sorted(ordered, key=lambda row: (_PRECEDENCE[row.split], row)):
            if row is not kept.setdefault(row.digest, row):
                counts["dropped", row.split] += 1
        ordered = sorted(kept.values())
    for row in ordered:
        counts["examples", row.split, features.SENTIMENTS[row.label]] += 1
    return ordered, counts


def write_shard(rows: Iterable[Keyed], shard: int, folders: Mapping[str, str], data: DataSettings) -> Counter[Count]:
    """Writes one shard of every split; a split without a row in it gets an empty file.

    Args:
        rows: all rows of the shard, in any order.
        shard: its number, from 0.
        folders: of each split.
        data: the settings.

    Returns:
        The counts of `settle`.
    """
    ordered, counts = settle(rows, data.dedupe)
    # The gzip header that TensorFlow writes holds no time, so equal rows give equal bytes.
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=_GZIP_LEVEL)
    for split, folder in folders.items():
        fileio.makedirs(folder)
        path = f"{folder}/data_tfrecord-{shard:05d}-of-{data.shards:05d}.gz"
        with tf.io.TFRecordWriter(_temporary(path), options) as writer:
            for row in ordered:
                if row.split == split:
                    writer.write(row.example)
        fileio.rename(_temporary(path), path, overwrite=True)
    return counts


def write_dead_letter(rows: Iterable[Rejected], path: str) -> Counter[Count]:
    """Writes rejected rows, one JSON object a line, sorted by source and position.

    Returns:
        The counts `("read",)` and `("rejected", reason)`.
    """
    ordered = sorted(rows, key=lambda row: (row.source, isinstance(row.position, str), row.position, row))
    write_text(path, "".join(json.dumps(row._asdict(), ensure_ascii=False) + "\n" for row in ordered))
    counts: Counter[Count] = Counter(("rejected", row.reason) for row in ordered)
    counts["read",] = len(ordered)
    return counts


def write_text(path: str, text: str) -> None:
    """Writes a text file whole or not at all; makes its folder."""
    fileio.makedirs(path.rsplit("/", 1)[0])
    with fileio.open(_temporary(path), "wb") as file:
        file.write(text.encode(errors="backslashreplace"))
    fileio.rename(_temporary(path), path, overwrite=True)


def _temporary(path: str) -> str:
    folder, name = path.rsplit("/", 1)
    return f"{folder}/.{name}.partial"

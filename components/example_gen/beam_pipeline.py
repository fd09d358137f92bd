"""The Beam pipeline of `ImdbExampleGen`: from the units of a source to the files of an Examples artifact."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import apache_beam as beam
from tfx.dsl.io import fileio

from components.example_gen.sources.locate import Source, Unit
from components.example_gen.sources.read import read
from components.example_gen.sources.rows import IgnoredRow, RowRules
from components.example_gen.splits import split_names
from components.example_gen.writing import CountKey, KeyedExample, keyed, write_dead_letter, write_shard, write_text
from imdb_core import progress
from imdb_core.errors import SourceError
from imdb_core.features import EVAL
from imdb_core.file_names import DEAD_LETTER
from imdb_core.reviews.rows import Found, LeftOut, RejectedRow
from imdb_core.settings import DataSettings

_COUNTS: Final = "counts.json"

# Groups of rows are shards, numbered from 0, and these three.
_REJECTED: Final = -1
_UNREADABLE: Final = -2
# Counts that do not belong to a shard; each row is a key of counts and a number.
_COUNTED: Final = -3

# How many different labels that are not known are counted one by one.
_UNKNOWN_LABELS: Final = 20

# Passing single rows instead of blocks costs Beam 135 MB more memory for 50,000 reviews.
_BLOCK_ROWS: Final = 256

Block = list[tuple[Any, ...]]


def ingest(pipeline: beam.Pipeline, source: Source, data: DataSettings, uri: str) -> None:
    """Adds all steps of the ingest to a Beam pipeline.

    Folder `uri` gets `Split-NAME/data_tfrecord-*.gz`, the dead-letter file and the counts.
    """
    read = (
        pipeline
        | "Units" >> beam.Create(list(source.units), reshuffle=False)
        | "SpreadUnits" >> beam.Reshuffle()
        | "Read" >> beam.FlatMap(read_unit, data)
    )
    declared_eval = read | "Declared" >> beam.Map(declares_eval) | "AnyDeclared" >> beam.CombineGlobally(any)
    (
        read
        | "Gather" >> beam.GroupByKey()
        | "Write" >> beam.Map(write_group, data, uri, beam.pvalue.AsSingleton(declared_eval))
        | "Sum" >> beam.CombineGlobally(lambda counts: sum(counts, Counter()))
        | "WriteCounts" >> beam.Map(write_counts, uri)
    )


def read_unit(unit: Unit, data: DataSettings) -> Iterator[tuple[int, Block]]:
    """Reads a unit of the source into blocks, each with the number of its group.

    Every shard, the rejected rows and the counts get at least one block, possibly empty, so that all files exist
    whatever the rows. An unreadable file becomes a row of its own group: Beam would bury an exception's message in a
    traceback.
    """
    blocks: dict[int, Block] = {group: [] for group in (_COUNTED, _REJECTED, *range(data.shards))}
    rules = RowRules.of(data)
    counts: Counter[CountKey] = Counter()
    try:
        for row in read(unit, data, rules):
            if isinstance(row, IgnoredRow | Found | LeftOut):
                counts.update(_counted(row))
                continue
            member: RejectedRow | KeyedExample
            if isinstance(row, RejectedRow):
                group, member = _REJECTED, row
            else:
                group, member = keyed(row, data)
                counts["declared", row.split or ""] = 1
            # Beam encodes plain tuples natively but pickles named tuples one by one.
            blocks[group].append(tuple(member))
            if len(blocks[group]) == _BLOCK_ROWS:
                progress.tell(progress.Added(_BLOCK_ROWS, "reviews"))
                yield group, blocks[group]
                blocks[group] = []
    except SourceError as error:
        yield _UNREADABLE, [(str(error),)]
    counts.update({("unusable", what): count for what, count in rules.unusable.items()})
    counts.update({("unknown", label): count for label, count in rules.unknown.most_common(_UNKNOWN_LABELS)})
    blocks[_COUNTED].extend(counts.items())
    progress.tell(progress.Added(sum(len(block) for group, block in blocks.items() if group != _COUNTED), "reviews"))
    yield from blocks.items()


def declares_eval(group_and_block: tuple[int, Block]) -> bool:
    """Returns whether a block of counts says that the source declares a split `eval`."""
    group, block = group_and_block
    return group == _COUNTED and any(key == ("declared", EVAL) for key, _ in block)


def write_group(
    group_and_blocks: tuple[int, Iterable[Block]], data: DataSettings, uri: str, declared_eval: bool
) -> Counter[CountKey]:
    """Writes the files of one group and returns its counts."""
    group, blocks = group_and_blocks
    rows = [row for block in blocks for row in block]
    if group == _UNREADABLE:
        return Counter(("unreadable", message) for (message,) in rows)
    if group == _COUNTED:
        counts: Counter[CountKey] = Counter()
        for key, count in rows:
            counts[tuple(key)] += count
        return counts
    if group == _REJECTED:
        return write_dead_letter([RejectedRow(*row) for row in rows], f"{uri}/{DEAD_LETTER}")
    folders = {split: f"{uri}/Split-{split}" for split in split_names(data.eval_fraction)}
    keyed_rows = [KeyedExample(*row) for row in rows]
    return write_shard(keyed_rows, group, folders, data, declared_eval=declared_eval)


def _counted(row: IgnoredRow | Found | LeftOut) -> Counter[CountKey]:
    if isinstance(row, IgnoredRow):
        return Counter({("ignored", row.what): 1})
    if isinstance(row, Found):
        splits = "column" if row.has_splits else row.split or ""
        return Counter({("found", row.source, str(row), splits): 1})
    return Counter({("left_out", row.reason, row.source): row.files, ("unlabelled_rows",): row.rows})


def write_counts(counts: Counter[CountKey], uri: str) -> None:
    """Writes the counts to a file: a remote runner returns nothing else to the executor."""
    write_text(f"{uri}/{_COUNTS}", json.dumps([[list(key), count] for key, count in sorted(counts.items())]))


def take_counts(uri: str) -> Counter[CountKey]:
    """Reads the counts that `ingest` left and removes their file."""
    path = f"{uri}/{_COUNTS}"
    with fileio.open(path, "r") as file:
        counts: Counter[CountKey] = Counter({tuple(key): count for key, count in json.load(file)})
    fileio.remove(path)
    return counts

"""The Beam pipeline of `ImdbExampleGen`: from the units of a source to the files of an Examples artifact."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import apache_beam as beam
from tfx.dsl.io import fileio

from components.example_gen.sources.locate import Source, Unit
from components.example_gen.sources.read import read
from components.example_gen.sources.rows import RejectedRow
from components.example_gen.splits import split_names
from components.example_gen.writing import CountKey, KeyedExample, keyed, write_dead_letter, write_shard, write_text
from imdb_core import progress
from imdb_core.errors import SourceError
from imdb_core.file_names import DEAD_LETTER
from imdb_core.settings import DataSettings

_COUNTS: Final = "counts.json"

# Groups of rows are shards, numbered from 0, and these two.
_REJECTED: Final = -1
_UNREADABLE: Final = -2

# Passing single rows instead of blocks costs Beam 135 MB more memory for 50,000 reviews.
_BLOCK_ROWS: Final = 256

Block = list[tuple[Any, ...]]


def ingest(pipeline: beam.Pipeline, source: Source, data: DataSettings, uri: str) -> None:
    """Adds all steps of the ingest to a Beam pipeline.

    Folder `uri` gets `Split-NAME/data_tfrecord-*.gz`, the dead-letter file and the counts.
    """
    (
        pipeline
        | "Units" >> beam.Create(list(source.units), reshuffle=False)
        | "SpreadUnits" >> beam.Reshuffle()
        | "Read" >> beam.FlatMap(read_unit, data)
        | "Gather" >> beam.GroupByKey()
        | "Write" >> beam.Map(write_group, data, uri)
        | "Sum" >> beam.CombineGlobally(lambda counts: sum(counts, Counter()))
        | "WriteCounts" >> beam.Map(write_counts, uri)
    )


def read_unit(unit: Unit, data: DataSettings) -> Iterator[tuple[int, Block]]:
    """Reads a unit of the source into blocks, each with the number of its group.

    Every shard and the rejected rows get at least one block, possibly empty, so that all files exist whatever the
    rows. An unreadable file becomes a row of its own group: Beam would bury an exception's message in a traceback.
    """
    blocks: dict[int, Block] = {group: [] for group in range(_REJECTED, data.shards)}
    try:
        for row in read(unit, data):
            group, member = (_REJECTED, row) if isinstance(row, RejectedRow) else keyed(row, data)
            # Beam encodes plain tuples natively but pickles named tuples one by one.
            blocks[group].append(tuple(member))
            if len(blocks[group]) == _BLOCK_ROWS:
                progress.tell(progress.Added(_BLOCK_ROWS, "reviews"))
                yield group, blocks[group]
                blocks[group] = []
    except SourceError as error:
        yield _UNREADABLE, [(str(error),)]
    progress.tell(progress.Added(sum(map(len, blocks.values())), "reviews"))
    yield from blocks.items()


def write_group(group_and_blocks: tuple[int, Iterable[Block]], data: DataSettings, uri: str) -> Counter[CountKey]:
    """Writes the files of one group and returns its counts."""
    group, blocks = group_and_blocks
    rows = [row for block in blocks for row in block]
    if group == _UNREADABLE:
        return Counter(("unreadable", message) for (message,) in rows)
    if group == _REJECTED:
        return write_dead_letter([RejectedRow(*row) for row in rows], f"{uri}/{DEAD_LETTER}")
    folders = {split: f"{uri}/Split-{split}" for split in split_names(data.eval_fraction)}
    return write_shard([KeyedExample(*row) for row in rows], group, folders, data)


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

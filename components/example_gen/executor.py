"""The executor of `ImdbExampleGen`: a Beam pipeline from a source to an Examples artifact."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as standard

from components.example_gen import report as reporting
from components.example_gen.keys import CACHE_DIR, DATA_CONFIG, FINGERPRINT, SOURCE_ERROR
from components.example_gen.sources import locate
from components.example_gen.sources.download import fetch
from components.example_gen.sources.locate import Source, Unit
from components.example_gen.sources.rows import Rejected
from components.example_gen.writing import REJECTED, Count, Keyed, keyed, write_dead_letter, write_shard, write_text
from imdb_core import file_names, progress
from imdb_core.errors import SourceError
from imdb_core.file_names import DEAD_LETTER
from imdb_core.settings import DataSettings

_LOG: Final = logging.getLogger(__name__)

_COUNTS: Final = "counts.json"

# Single rows would cost Beam 135 MB more on 50,000 reviews.
_BLOCK_ROWS: Final = 256

Block = list[tuple[Any, ...]]


class ImdbExampleGenExecutor(BaseBeamExecutor):  # type: ignore[misc]  # TFX ships no types
    """Reads reviews, checks them, and writes them split and sharded."""

    def Do(  # noqa: N802  - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills the Examples artifact.

        Besides the splits it holds `dead_letter/rows.jsonl` (the rows that cannot be used) and `ingest_report.json`;
        the main counts become custom properties.

        Args:
            input_dict: empty.
            output_dict: `examples`, one artifact.
            exec_properties: see `ImdbExampleGen`, and what its driver found.

        Raises:
            SourceError: the source cannot be found, downloaded or read, or changed meanwhile.
            BadDataError: too many rows cannot be used, or a split has none.
        """
        data = DataSettings.model_validate_json(exec_properties[DATA_CONFIG])
        cache_dir = exec_properties[CACHE_DIR]
        if exec_properties.get(SOURCE_ERROR):
            raise SourceError(exec_properties[SOURCE_ERROR])
        source = locate.locate(data, cache_dir)
        if data.source == locate.IMDB:
            _download(data, cache_dir)

        examples = artifact_utils.get_single_instance(output_dict[standard.EXAMPLES_KEY])
        examples.split_names = artifact_utils.encode_split_names(reporting.split_names(data))
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")
        with self._make_beam_pipeline() as pipeline:
            ingest(pipeline, source, data, examples.uri)
        counts = _take_counts(examples.uri)

        unreadable = sorted(key[1] for key in counts if key[0] == "unreadable")
        if unreadable:
            others = len(unreadable) - 1
            raise SourceError(unreadable[0] + (f" (and {others} more files cannot be read)" if others else ""))
        if locate.locate(data, cache_dir).fingerprint != exec_properties.get(FINGERPRINT, source.fingerprint):
            raise SourceError(f"data.source = {data.source!r} changed while it was read; run again")
        report = reporting.summarize(counts, data, source.fingerprint)
        if reporting.too_many_rejected(report, data):
            raise reporting.rejection_error(report, data, _keep_dead_letter(examples.uri, cache_dir, source))
        reporting.check_splits(report, data)
        write_text(f"{examples.uri}/{file_names.REPORT}", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        for name, count in reporting.properties(report).items():
            examples.set_int_custom_property(name, count)
        _LOG.info("ingested %s: %s", data.source, reporting.properties(report))


def ingest(pipeline: beam.Pipeline, source: Source, data: DataSettings, uri: str) -> None:
    """Adds the whole ingest to a Beam pipeline.

    Args:
        pipeline: to add to.
        source: what to read.
        data: the settings.
        uri: where to write: `Split-NAME/data_tfrecord-*.gz`, the dead-letter file, and the counts.
    """
    (
        pipeline
        | "Units" >> beam.Create(list(source.units), reshuffle=False)
        | "SpreadUnits" >> beam.Reshuffle()
        | "Read" >> beam.FlatMap(read_unit, data)
        | "Gather" >> beam.GroupByKey()
        | "Write" >> beam.Map(write_group, data, uri)
        | "Sum" >> beam.CombineGlobally(sum_counts)
        | "WriteCounts" >> beam.Map(write_counts, f"{uri}/{_COUNTS}")
    )


def read_unit(unit: Unit, data: DataSettings) -> Iterator[tuple[int, Block]]:
    """Reads a unit of the source into blocks of groups: a shard's examples, or the rejected rows.

    Every group gets a block, if an empty one, so that all files are there whatever the rows. A unit that cannot be
    read becomes a rejected row of one field, not an exception: Beam would bury its message in a traceback.
    """
    blocks: dict[int, Block] = {group: [] for group in range(REJECTED, data.shards)}
    try:
        for row in locate.read(unit, data):
            group, member = (REJECTED, row) if isinstance(row, Rejected) else keyed(row, data)
            # Beam encodes plain tuples natively, but pickles their named kin one by one.
            blocks[group].append(tuple(member))
            if len(blocks[group]) == _BLOCK_ROWS:
                progress.tell(progress.Added(_BLOCK_ROWS, "reviews"))
                yield group, blocks[group]
                blocks[group] = []
    except SourceError as error:
        blocks[REJECTED].append((str(error),))
    progress.tell(progress.Added(sum(map(len, blocks.values())), "reviews"))
    yield from blocks.items()


def write_group(group_and_blocks: tuple[int, Iterable[Block]], data: DataSettings, uri: str) -> Counter[Count]:
    """Writes the files of one group and returns its counts."""
    group, blocks = group_and_blocks
    rows = [row for block in blocks for row in block]
    if group != REJECTED:
        folders = {split: f"{uri}/Split-{split}" for split in reporting.split_names(data)}
        return write_shard([Keyed(*row) for row in rows], group, folders, data)
    counts = write_dead_letter([Rejected(*row) for row in rows if len(row) > 1], f"{uri}/{DEAD_LETTER}")
    return counts + Counter(("unreadable", row[0]) for row in rows if len(row) == 1)


def sum_counts(several: Iterable[Counter[Count]]) -> Counter[Count]:
    """Adds up counts."""
    return sum(several, Counter())


def write_counts(counts: Counter[Count], path: str) -> None:
    """Leaves the counts for the executor: with a remote runner a file is all that comes back."""
    write_text(path, json.dumps([[list(key), count] for key, count in sorted(counts.items())]))


def _take_counts(uri: str) -> Counter[Count]:
    path = f"{uri}/{_COUNTS}"
    with fileio.open(path, "r") as file:
        counts: Counter[Count] = Counter({tuple(key): count for key, count in json.load(file)})
    fileio.remove(path)
    return counts


def _download(data: DataSettings, cache_dir: str) -> None:
    if "://" in cache_dir:
        raise SourceError(
            f"data.source = 'imdb' downloads to a local folder, not to {cache_dir}; download {data.download_url} "
            "yourself and set data.source to the archive's path"
        )
    fetch(data.download_url, data.download_sha256, Path(locate.archive_path(data, cache_dir)))


def _keep_dead_letter(uri: str, cache_dir: str, source: Source) -> str:
    """Copies the dead-letter file out of the artifact, which TFX removes when a node fails."""
    kept = f"{cache_dir}/dead_letter/{source.fingerprint[:12]}.jsonl"
    with fileio.open(f"{uri}/{DEAD_LETTER}", "rb") as file:
        write_text(kept, file.read().decode())
    return kept

"""Reads the units of a source row by row, whatever its format."""

from collections.abc import Iterator

from components.example_gen.sample.generate import sample_review
from components.example_gen.sources.archives import read_archive, read_folder
from components.example_gen.sources.locate import SAMPLE, Unit
from components.example_gen.sources.rows import RawRow, RejectedRow, RowRules, ValidRow
from components.example_gen.sources.tables import read_csv, read_jsonl, read_parquet
from imdb_core.settings import DataSettings


def read(unit: Unit, data: DataSettings) -> Iterator[ValidRow | RejectedRow]:
    """Reads and checks all rows of a unit.

    Raises:
        SourceError: A file cannot be read.
    """
    official = unit.kind in {"sample", "folder", "archive"}
    rules = RowRules.of_archives(data) if official else RowRules.of_tables(data)
    for raw in _raw_rows(unit, data):
        yield raw if isinstance(raw, RejectedRow) else rules.check(raw)


def _raw_rows(unit: Unit, data: DataSettings) -> Iterator[RawRow | RejectedRow]:
    path = unit.paths[0]
    match unit.kind:
        case "sample":
            yield from _sample_rows(unit, data.sample_seed)
        case "folder":
            yield from read_folder(unit.paths, data.max_bytes)
        case "archive":
            yield from read_archive(path, data.max_bytes)
        case "csv" | "tsv":
            yield from read_csv(path, unit.name, data, "," if unit.kind == "csv" else "\t")
        case "jsonl":
            yield from read_jsonl(path, unit.name, data)
        case "parquet":
            yield from read_parquet(path, unit.name, data)
        case _:  # pragma: no cover
            raise AssertionError(f"no reader for sources of the kind {unit.kind!r}")


def _sample_rows(unit: Unit, seed: int) -> Iterator[RawRow]:
    (split,) = unit.paths
    for index in range(unit.start, unit.stop):
        review = sample_review(split, index, seed)
        yield RawRow(SAMPLE, index, review.id, review.text, ("neg", "pos")[review.label], split, review.rating)

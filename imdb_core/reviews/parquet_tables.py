"""Reads Parquet files in batches of rows."""

from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

from imdb_core.reviews.columns import Columns


def open_parquet(file: IO[bytes]) -> Any:
    """Opens a Parquet file, which must be seekable."""
    # Most files are others.
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(file)


def names_of(table: Any) -> list[str]:
    """Returns the names of the columns; those of nested values joined by dots, after the value's own name."""
    import pyarrow as pa

    def below(field: Any, prefix: str) -> Iterator[str]:
        yield prefix + field.name
        if pa.types.is_struct(field.type):
            for inner in field.type:
                yield from below(inner, f"{prefix}{field.name}.")

    return list(chain.from_iterable(below(field, "") for field in table.schema_arrow))


def read_values(table: Any, columns: Columns) -> Iterator[tuple[object, ...]]:
    """Yields the values of text, label, split, rating and id of each row; None for a column that does not exist."""
    names = (columns.text, columns.label, columns.split, columns.rating, columns.key)
    wanted = list(
        dict.fromkeys(
            name.partition(".")[0] if name not in table.schema_arrow.names else name for name in names if name
        )
    )
    for batch in table.iter_batches(1024, columns=wanted):
        found = [[None] * batch.num_rows if name is None else _values(_column(batch, name)) for name in names]
        yield from zip(*found, strict=True)


def _column(batch: Any, name: str) -> Any:
    import pyarrow.compute as pc

    if name in batch.schema.names:
        return batch.column(name)
    first, *inner = name.split(".")
    column = batch.column(first)
    for part in inner:
        column = pc.struct_field(column, [column.type.get_field_index(part)])
    return column


def _values(column: Any) -> list[object]:
    """Returns the values of a column; strings as bytes, since Parquet does not guarantee that they are UTF-8."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    values: list[object] = column.to_pylist()
    return values

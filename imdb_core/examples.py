"""Reads tf.Examples without TensorFlow, whose import takes longer than to draw a whole report."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imdb_core.protos import message
from imdb_core.records import read_records

Example: Any = message("tensorflow/core/example/example.proto", "tensorflow.Example")


def read_examples(folder: Path, most: int | None = None) -> Iterator[Any]:
    """Reads the examples of a split.

    Args:
        folder: of the split, with gzipped TFRecords.
        most: number of examples to read, as many as can be of each file; all by default.

    Yields:
        The map from the names of an example's features to tf.Features, files in the order of their names.
    """
    files = sorted(folder.glob("*.gz"))
    for place, file in enumerate(files):
        # So that the shares add up to `most`.
        wanted = None if most is None else most * (place + 1) // len(files) - most * place // len(files)
        for number, record in enumerate(read_records([str(file)], open)):
            if wanted is not None and number >= wanted:
                break
            yield Example.FromString(record).features.feature

"""Reads tf.Examples without TensorFlow, whose import takes longer than making a whole report."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imdb_core.protos import message
from imdb_core.records import read_records

Example: Any = message("tensorflow/core/example/example.proto", "tensorflow.Example")


def read_examples(folder: Path, most: int | None = None) -> Iterator[Any]:
    """Yields the tf.Features of each example of a split by name, file by file in the order of the files' names.

    With a maximum, `most`, equal shares come from all gzipped TFRecord files of the split's folder.
    """
    files = sorted(folder.glob("*.gz"))
    for place, file in enumerate(files):
        # The differences of rounded multiples add up to `most`.
        wanted = None if most is None else most * (place + 1) // len(files) - most * place // len(files)
        for number, record in enumerate(read_records([str(file)], open)):
            if wanted is not None and number >= wanted:
                break
            yield Example.FromString(record).features.feature

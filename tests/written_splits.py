"""Splits of Examples artifacts as TFX writes them, without TensorFlow."""

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imdb_core.examples import Example


def write_split(folder: Path, split: str, rows: Sequence[Mapping[str, Any]], name: str = "data-0.gz") -> None:
    """Writes gzipped TFRecords of tf.Examples; the checksums, which gzip makes needless, are left 0."""
    (folder / f"Split-{split}").mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"Split-{split}" / name, "wb") as stream:
        for row in rows:
            example = Example()
            for key, value in row.items():
                feature = example.features.feature[key]
                if isinstance(value, str):
                    feature.bytes_list.value.append(value.encode())
                elif isinstance(value, int):
                    feature.int64_list.value.append(value)
                else:
                    feature.float_list.value.extend(value)
            record = example.SerializeToString()
            stream.write(struct.pack("<QI", len(record), 0) + record + struct.pack("<I", 0))

"""Reads files with the one reader, as the ingest does."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from imdb_core.reviews.parts import PartOf, any_part
from imdb_core.reviews.reading import ReaderEvent, ReviewReader
from imdb_core.reviews.rows import Found, LeftOut, RawRow, RejectedRow
from imdb_core.settings import DataSettings
from imdb_core.spelling import spelling

DATA = DataSettings()
LABELS = frozenset(map(spelling, (*DATA.positive_labels, *DATA.negative_labels)))


def _opened(path: str) -> IO[bytes]:
    return open(path, "rb")


def events(
    path: Path | str, data: DataSettings = DATA, *, labelled: bool = True, part_of: PartOf = any_part
) -> list[ReaderEvent]:
    labels = LABELS if labelled else frozenset()
    reader = ReviewReader(data, _opened, data.max_bytes, labels, part_of)
    return list(reader.read(str(path), Path(path).name))


def rows(path: Path | str, data: DataSettings = DATA, **options) -> list[RawRow | RejectedRow]:
    return [one for one in events(path, data, **options) if isinstance(one, RawRow | RejectedRow)]


def found(path: Path | str, data: DataSettings = DATA, **options) -> Found:
    (one,) = [one for one in events(path, data, **options) if isinstance(one, Found)]
    return one


def left_out(path: Path | str, data: DataSettings = DATA, **options) -> list[LeftOut]:
    return [one for one in events(path, data, **options) if isinstance(one, LeftOut)]


def parsed(given: list[RawRow | RejectedRow]) -> list[object]:
    """Reduces raw rows to tuples of text, label, split and rating, and rejected rows to their reason."""
    return [(one.text, one.label, one.split, one.rating) if isinstance(one, RawRow) else one.reason for one in given]

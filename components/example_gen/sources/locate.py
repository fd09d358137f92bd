"""Turns the setting `data.source` into units of work that any Beam worker can read."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal, NamedTuple

from components.example_gen.sources.download import archive_path
from components.example_gen.sources.files import FoundFiles, find_files
from components.example_gen.sources.parts import part_of
from imdb_core.errors import SourceError
from imdb_core.features import TEST, TRAIN
from imdb_core.records import in_batches
from imdb_core.reviews.parts import labelled_text
from imdb_core.reviews.reading import perhaps_table
from imdb_core.reviews.rows import LeftOut
from imdb_core.settings import DataSettings

SAMPLE: Final = "sample"
IMDB: Final = "imdb"

SourceKind = Literal["sample", "texts", "file"]

_SAMPLE_UNIT: Final = 500
_FOLDER_UNIT: Final = 1000
_CHOICES: Final = "'sample', 'imdb', a path that exists, or a glob"


class Unit(NamedTuple):
    """The part of a source that one worker reads at once."""

    kind: SourceKind
    paths: tuple[str, ...]  # for the sample, the name of its split
    name: str = ""  # of a file, in the ids of its rows
    start: int = 0  # of the sample, the first index; of files, how much of a path leads to the root of the source
    stop: int = 0  # of the sample; the index after the last one
    alone: bool = False  # whether it is the only file, so that its faults end the run
    named: bool = True  # whether the names of files say their splits; if all say `train`, there are none


@dataclass(frozen=True)
class Source:
    """A located source.

    Attributes:
        units: What workers read.
        fingerprint: A digest of everything that determines the rows: paths, sizes and times of the files, or the
            settings of the sample or download.
        left_out: Files that are not read.
    """

    units: tuple[Unit, ...]
    fingerprint: str
    left_out: tuple[LeftOut, ...] = ()


def absolute_source(source: str) -> str:
    """Returns `data.source` as it is read in any folder: a local path becomes absolute, and `~` is the home folder."""
    if source in (SAMPLE, IMDB):
        return source
    local = source.removeprefix("file://")
    return source if "://" in local else os.path.abspath(os.path.expanduser(local))


def locate(data: DataSettings, cache_dir: str) -> Source:
    """Finds the files of a source without reading or downloading them; `cache_dir` is for the download of `imdb`.

    Raises:
        SourceError: The files do not exist, or the names of a file say two splits.
    """
    if data.source == SAMPLE:
        return _sample(data)
    if data.source == IMDB:
        unit = Unit("file", (archive_path(data, cache_dir),), name="aclImdb", alone=True)
        return Source((unit,), _fingerprint(IMDB, data.download_sha256))
    found = find_files(data.source)
    if not found.files:
        raise SourceError(f"data.source = {data.source!r}: no such file or folder; give {_CHOICES}")
    return _files(found, data)


def _sample(data: DataSettings) -> Source:
    sizes = {TRAIN: data.sample_train, TEST: data.sample_test}
    units = tuple(
        Unit("sample", (split,), start=start, stop=min(start + _SAMPLE_UNIT, size))
        for split, size in sizes.items()
        for start in range(0, size, _SAMPLE_UNIT)
    )
    return Source(units, _fingerprint(SAMPLE, data.sample_seed, data.sample_train, data.sample_test))


def _files(found: FoundFiles, data: DataSettings) -> Source:
    decide = part_of(data)
    texts, tables = [], []
    splits = set()
    left_out: Counter[tuple[str, str]] = Counter()
    for file in found.files:
        below = file.path[found.root :]
        part = decide(below)
        if part.left_out and not found.is_one:
            left_out[os.path.dirname(below) or below, part.left_out] += 1
        elif data.format in ("auto", "acl_imdb") and labelled_text(below):
            texts.append(file.path)
            splits.add(part.split)
        elif found.is_one or perhaps_table(below):
            tables.append(file.path)
            splits.add(part.split)
        else:
            left_out[below, "no table of reviews"] += 1
    top = _common_folder(tables)
    alone = len(tables) == 1 and not texts
    # A file on its own, or training files on their own, have no test reviews beside them: their splits are drawn.
    named = not found.is_one and splits != {TRAIN}
    units = [
        *(Unit("texts", tuple(paths), start=found.root, named=named) for paths in in_batches(texts, _FOLDER_UNIT)),
        *(Unit("file", (path,), name=path[top:], start=found.root, alone=alone, named=named) for path in tables),
    ]
    if not units:
        raise SourceError(
            f"data.source = {data.source!r}: none of its {len(found.files)} files can be reviews; give {_CHOICES}"
        )
    unread = (LeftOut(name, reason, files) for (name, reason), files in sorted(left_out.items()))  # type: ignore[arg-type]
    return Source(tuple(units), _fingerprint(*found.files), tuple(unread))


def _common_folder(paths: list[str]) -> int:
    """Returns the length of the longest folder name, separator included, with which all paths start."""
    folders = [path.split("/")[:-1] for path in paths]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return sum(len(parts[0]) + 1 for parts in shared)


def _fingerprint(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

"""Turns the setting `data.source` into units of work that any Beam worker can read."""

import hashlib
import json
import os
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal, NamedTuple

from components.example_gen.sources.archives import FOLDERS
from components.example_gen.sources.download import archive_path
from components.example_gen.sources.files import FoundFile, find_files
from imdb_core.errors import SourceError
from imdb_core.features import TEST, TRAIN
from imdb_core.records import in_batches
from imdb_core.settings import DataSettings

SAMPLE: Final = "sample"
IMDB: Final = "imdb"

SourceKind = Literal["sample", "folder", "archive", "csv", "tsv", "jsonl", "parquet"]

_TEXT_TABLES: Final[tuple[SourceKind, ...]] = ("csv", "tsv", "jsonl")
_SUFFIXES: Final[dict[str, SourceKind]] = {
    **{f".{kind}{packed}": kind for kind in _TEXT_TABLES for packed in ("", ".gz")},
    ".parquet": "parquet",
    ".tar.gz": "archive",
    ".tgz": "archive",
}
_SAMPLE_UNIT: Final = 500
_FOLDER_UNIT: Final = 1000
_CHOICES: Final = "'sample', 'imdb', a path that exists, or a glob"
# `data.source` may be aclImdb itself or the folder that contains it.
_PARENTS: Final = ("", "aclImdb/")


class Unit(NamedTuple):
    """The part of a source that one worker reads at once."""

    kind: SourceKind
    paths: tuple[str, ...]  # for the sample, the name of its split
    name: str = ""  # of a table, in the ids of its rows
    start: int = 0  # of the sample; the first index
    stop: int = 0  # of the sample; the index after the last one


@dataclass(frozen=True)
class Source:
    """A located source.

    Its fingerprint is a digest of everything that determines the rows: paths, sizes and times of the files, or the
    settings of the sample or download.
    """

    units: tuple[Unit, ...]
    fingerprint: str


def absolute_source(source: str) -> str:
    """Returns `data.source` as it is read in any folder: a local path becomes absolute, and `~` is the home folder."""
    return source if source in (SAMPLE, IMDB) or "://" in source else os.path.abspath(os.path.expanduser(source))


def locate(data: DataSettings, cache_dir: str) -> Source:
    """Finds the files of a source without reading or downloading them; `cache_dir` is for the download of `imdb`.

    Raises:
        SourceError: The files do not exist, or their format is unclear.
    """
    if data.source == SAMPLE:
        return _sample(data)
    if data.source == IMDB:
        unit = Unit("archive", (archive_path(data, cache_dir),))
        return Source((unit,), _fingerprint(IMDB, data.download_sha256))
    found, units = _files(data)
    return Source(tuple(units), _fingerprint(*found))


def _sample(data: DataSettings) -> Source:
    sizes = {TRAIN: data.sample_train, TEST: data.sample_test}
    units = tuple(
        Unit("sample", (split,), start=start, stop=min(start + _SAMPLE_UNIT, size))
        for split, size in sizes.items()
        for start in range(0, size, _SAMPLE_UNIT)
    )
    return Source(units, _fingerprint(SAMPLE, data.sample_seed, data.sample_train, data.sample_test))


def _files(data: DataSettings) -> tuple[list[FoundFile], list[Unit]]:
    if _kind(data.source, data) is None and not any(mark in data.source for mark in "*?["):
        return _folder(data.source)
    found = find_files(data.source)
    if not found:
        raise SourceError(f"data.source = {data.source!r}: no such file; give {_CHOICES}")
    top = _common_folder([file.path for file in found])
    units = []
    for file in found:
        kind = _kind(file.path, data)
        if kind is None:
            raise SourceError(
                f"data.source = {data.source!r}: the name of {file.path} does not show its format, and data.format is "
                f"{data.format!r}; known names end in {', '.join(_SUFFIXES)}; narrow the glob or set data.format"
            )
        units.append(Unit(kind, (file.path,), name=file.path[top:]))
    return found, units


def _folder(source: str) -> tuple[list[FoundFile], list[Unit]]:
    base = source.rstrip("/")
    for parent in _PARENTS:
        found = find_files(*(f"{base}/{parent}{folder}/*" for folder in FOLDERS))
        if found:
            chunks = in_batches(found, _FOLDER_UNIT)
            return found, [Unit("folder", tuple(file.path for file in chunk)) for chunk in chunks]
    if not find_files(base):
        raise SourceError(f"data.source = {source!r}: no such file or folder; give {_CHOICES}")
    raise SourceError(
        f"data.source = {source!r} is neither an aclImdb folder (with {', '.join(FOLDERS)}) nor a file with a known "
        f"suffix ({', '.join(_SUFFIXES)}); for a folder of tables give a glob such as {base}/*.csv, for another suffix "
        "set data.format"
    )


def _kind(path: str, data: DataSettings) -> SourceKind | None:
    """Returns the format of a file, or None if neither its name nor the settings determine it."""
    named = next((kind for suffix, kind in _SUFFIXES.items() if path.lower().endswith(suffix)), None)
    if data.format == "auto":
        return named
    if data.format == "acl_imdb":
        return "archive" if named == "archive" else None
    return data.format


def _common_folder(paths: list[str]) -> int:
    """Returns the length of the longest folder name, separator included, with which all paths start."""
    folders = [path.replace("\\", "/").split("/")[:-1] for path in paths]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return sum(len(parts[0]) + 1 for parts in shared)


def _fingerprint(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

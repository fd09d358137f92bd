"""From the setting `data.source` to units of work that any Beam worker can read."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from components.example_gen.sample.generate import sample_review
from components.example_gen.sources.archives import FOLDERS, read_archive, read_folder
from components.example_gen.sources.files import Found, find
from components.example_gen.sources.rows import Raw, Rejected, Row, RowRules
from components.example_gen.sources.tables import read_csv, read_jsonl, read_parquet
from imdb_core.errors import SourceError
from imdb_core.features import TEST, TRAIN
from imdb_core.settings import DataSettings

SAMPLE: Final = "sample"
IMDB: Final = "imdb"

Kind = Literal["sample", "folder", "archive", "csv", "tsv", "jsonl", "parquet"]

_SUFFIXES: Final[dict[str, Kind]] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "tsv",
    ".tsv.gz": "tsv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".parquet": "parquet",
    ".tar.gz": "archive",
    ".tgz": "archive",
}
_SAMPLE_UNIT: Final = 500
_FOLDER_UNIT: Final = 1000
_CHOICES: Final = "'sample', 'imdb', a path that exists, or a glob"
# `data.source` may be aclImdb itself or the folder that it was unpacked in.
_PARENTS: Final = ("", "aclImdb/")


class Unit(NamedTuple):
    """What one worker reads in one go.

    Attributes:
        kind: how to read it.
        paths: the files; for the sample, its split.
        name: of a table in ids.
        start, stop: of the sample, indices.
    """

    kind: Kind
    paths: tuple[str, ...]
    name: str = ""
    start: int = 0
    stop: int = 0


@dataclass(frozen=True)
class Source:
    """A source that was found.

    Attributes:
        units: all its parts.
        fingerprint: changes when a file does (its path, size or time), or what else the rows are made from.
    """

    units: tuple[Unit, ...]
    fingerprint: str


def locate(data: DataSettings, cache_dir: str) -> Source:
    """Finds the files of a source, reading and downloading nothing.

    Args:
        data: the settings.
        cache_dir: where the download of source `imdb` is, or will be.

    Raises:
        SourceError: there are no such files, or it is unclear how to read them.
    """
    if data.source == SAMPLE:
        return _sample(data)
    if data.source == IMDB:
        unit = Unit("archive", (archive_path(data, cache_dir),))
        return Source((unit,), _fingerprint(IMDB, data.download_sha256))
    found, units = _files(data)
    return Source(tuple(units), _fingerprint(*found))


def archive_path(data: DataSettings, cache_dir: str) -> str:
    """Where the download of source `imdb` is kept."""
    return f"{cache_dir}/{data.download_url.rstrip('/').rsplit('/', 1)[-1]}"


def read(unit: Unit, data: DataSettings) -> Iterator[Row | Rejected]:
    """Reads and checks all rows of a unit.

    Raises:
        SourceError: a file cannot be read.
    """
    official = unit.kind in {"sample", "folder", "archive"}
    rules = RowRules.of_archives(data) if official else RowRules.of_tables(data)
    for raw in _raw(unit, data):
        yield raw if isinstance(raw, Rejected) else rules.check(raw)


def _raw(unit: Unit, data: DataSettings) -> Iterator[Raw | Rejected]:
    path = unit.paths[0]
    match unit.kind:
        case "sample":
            yield from _sample_rows(unit, data.sample_seed)
        case "folder":
            yield from read_folder(unit.paths, data.max_bytes)
        case "archive":
            yield from read_archive(path, data.max_bytes)
        case "csv":
            yield from read_csv(path, unit.name, data, ",")
        case "tsv":
            yield from read_csv(path, unit.name, data, "\t")
        case "jsonl":
            yield from read_jsonl(path, unit.name, data)
        case "parquet":
            yield from read_parquet(path, unit.name, data)


def _sample(data: DataSettings) -> Source:
    sizes = {TRAIN: data.sample_train, TEST: data.sample_test}
    units = tuple(
        Unit("sample", (split,), start=start, stop=min(start + _SAMPLE_UNIT, size))
        for split, size in sizes.items()
        for start in range(0, size, _SAMPLE_UNIT)
    )
    return Source(units, _fingerprint(SAMPLE, data.sample_seed, data.sample_train, data.sample_test))


def _sample_rows(unit: Unit, seed: int) -> Iterator[Raw]:
    (split,) = unit.paths
    for index in range(unit.start, unit.stop):
        review = sample_review(split, index, seed)
        yield Raw(SAMPLE, index, review.id, review.text, ("neg", "pos")[review.label], split, review.rating)


def _files(data: DataSettings) -> tuple[list[Found], list[Unit]]:
    if _kind(data.source, data) is None and not any(mark in data.source for mark in "*?["):
        return _folder(data.source)
    found = find(data.source)
    if not found:
        raise SourceError(f"data.source = {data.source!r}: no such file; give {_CHOICES}")
    top = _common_folder([file.path for file in found])
    units = []
    for file in found:
        kind = _kind(file.path, data)
        if kind is None:
            raise SourceError(
                f"data.source = {data.source!r}: the name of {file.path} does not tell how to read it as data.format = "
                f"{data.format!r}; known names end in {', '.join(_SUFFIXES)}; narrow the glob or set data.format"
            )
        units.append(Unit(kind, (file.path,), name=file.path[top:]))
    return found, units


def _folder(source: str) -> tuple[list[Found], list[Unit]]:
    base = source.rstrip("/")
    for parent in _PARENTS:
        found = find(*(f"{base}/{parent}{folder}/*" for folder in FOLDERS))
        if found:
            chunks = (found[start : start + _FOLDER_UNIT] for start in range(0, len(found), _FOLDER_UNIT))
            return found, [Unit("folder", tuple(file.path for file in chunk)) for chunk in chunks]
    if not find(base):
        raise SourceError(f"data.source = {source!r}: no such file or folder; give {_CHOICES}")
    raise SourceError(
        f"data.source = {source!r} is neither an aclImdb folder (with {', '.join(FOLDERS)}) nor a file of a known "
        f"name ({', '.join(_SUFFIXES)}); for a folder of tables give a glob such as {base}/*.csv, for another name set "
        "data.format"
    )


def _kind(path: str, data: DataSettings) -> Kind | None:
    """How to read a file; None where neither its name nor the settings say."""
    named = next((kind for suffix, kind in _SUFFIXES.items() if path.lower().endswith(suffix)), None)
    if data.format == "auto":
        return named
    if data.format == "acl_imdb":
        return "archive" if named == "archive" else None
    return data.format


def _common_folder(paths: list[str]) -> int:
    """Length of the longest folder name, separator included, that all paths start with."""
    folders = [path.replace("\\", "/").split("/")[:-1] for path in paths]
    shared = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared += len(parts[0]) + 1
    return shared


def _fingerprint(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

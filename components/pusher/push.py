"""Copies a SavedModel to a new version, completely or not at all."""

import fcntl
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from imdb_core.files import flush
from serving.releases.versions import RELEASE_FILE, Release, digest, read_release, sha256

# TF Serving loads only children whose names are numbers.
PARTIAL_PREFIX: Final = ".pushing-"

# Held while pushing. Without it, one push could delete another's copy as the leftover of a crash.
_LOCK_FILE: Final = ".lock"

# Writes the contents of `serving.releases.versions.PAPERS`, by name. Its arguments are the version's number, the folder
# that will become the version and lacks only the papers, and its release.
PaperWriter = Callable[[int, Path, Release], Mapping[str, bytes]]


def push(
    source: Path, base: Path, notes: Mapping[str, Any] | None = None, write_papers: PaperWriter | None = None
) -> Path:
    """Copies a SavedModel to a new version, unless the newest version already is this model with the same statements.

    It is if a run was killed between the copy and its record in ML Metadata. A model that is an older version is pushed
    again: servers load the newest version. So is one whose card states something else, in the note `card_settings`.

    Args:
        source: A SavedModel; it may be read-only.
        base: The folder of the model's versions; it is created if it is missing. Simultaneous pushes wait in turn.
        notes: Further fields of `Release`, for the version's `release.json`.
        write_papers: Called once the model is copied, and only for a new version. If it fails, nothing is pushed.

    Returns:
        The version's folder. Its name is the Unix second of the push, or the newest version plus 1 if that is later.
    """
    base.mkdir(parents=True, exist_ok=True)
    with (base / _LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for partial in base.glob(f"{PARTIAL_PREFIX}*"):
            shutil.rmtree(partial)
        # The path alone does not identify a model: a new workspace reuses the paths of the old one.
        origin = (str(source), digest(source), (notes or {}).get("card_settings"))
        newest = max((child for child in base.iterdir() if child.name.isdecimal()), key=_number, default=None)
        if newest is not None and _origin_of(newest) == origin:
            return newest
        number = max(int(time.time()), _number(newest) + 1 if newest else 0)
        partial = base / f"{PARTIAL_PREFIX}{number}"
        _copy(source, partial)
        release = Release(source=origin[0], sha256=origin[1], pushed_at=int(time.time()), **(notes or {}))
        (partial / RELEASE_FILE).parent.mkdir(exist_ok=True)
        papers = write_papers(number, partial, release) if write_papers else {}
        for name, content in papers.items():
            (partial / name).write_bytes(content)
        release = release.model_copy(update={"papers": {name: sha256(content) for name, content in papers.items()}})
        (partial / RELEASE_FILE).write_text(release.model_dump_json(indent=2, exclude_none=True))
        for path in (*partial.rglob("*"), partial):
            flush(path)
        version = base / str(number)
        partial.rename(version)
        flush(base)
        return version


def _number(version: Path) -> int:
    return int(version.name)


def _origin_of(version: Path) -> tuple[str, str, str | None] | None:
    release = read_release(version)
    return (release.source, release.sha256, release.card_settings) if release else None


def _copy(source: Path, target: Path) -> None:
    """Copies a folder without its modes; shutil.copytree would make the copy of a read-only folder read-only."""
    target.mkdir()
    for child in source.iterdir():
        copy = _copy if child.is_dir() else shutil.copyfile
        copy(child, target / child.name)
